import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { lintPaths } from '../../../node/tool-test/lint-report.js';
import { loaded } from '../../../node/tool-test/shown.js';
import { TestData } from '../../../node/tool-test/test-data.js';
import { planInputs } from '../../../node/tool-test/test-inputs.js';
import type { Toolbox } from '../../../node/toolbox/tool.js';
import type { JsonObject, JsonValue } from '../../../protocol/log/entry.js';
import { packageRoot } from '../../../protocol/runtime/package.js';
import { id } from './fake-context.js';
import { runTool, testToolbox } from './run-tool.js';

let toolbox: Toolbox;
beforeAll(async () => {
  toolbox = await testToolbox([], true);
});

const TOOLS = join(packageRoot(), 'node/toolbox/tools');
const NEEDED = [
  ...['upload1', '__DATA_FETCH__', 'cat1', 'cat', 'head', 'Show beginning1', 'random_lines1', 'cat_list'],
  ...['multi_data_param', 'cat_data_and_sleep', 'create_2', 'job_properties', 'Paste1', 'addValue', 'sort1', 'Grep1'],
  ...['Cut1', 'Filter1', 'join1', 'Count1', 'wc_gnu', 'tail1', 'Show tail1', 'Convert characters1'],
  ...['Summary_Statistics1', 'seqtk_seq', 'fastqc', 'fastp', 'bwa_mem', 'bwa_index', 'minimap2', 'bowtie2'],
  ...['samtools_view', 'samtools_sort', 'samtools_index', 'samtools_flagstat', 'samtools_stats', 'samtools_idxstats'],
  ...['bcftools_mpileup', 'bcftools_call', 'bcftools_view', 'bcftools_stats'],
  ...['bedtools_intersectbed', 'bedtools_mergebed', 'bedtools_sortbed', 'bedtools_genomecoveragebed'],
];

const hda = (number: number): JsonObject => ({ src: 'hda', id: id(number) });
const table = 'b\t2\t1e2\na\t10\t5\nc\t1\t1e1\n';

describe('the tools that this product brings', () => {
  it('all load, and no id is there twice', () => {
    expect(toolbox.problems()).toEqual([]);
    const ids = toolbox.tools().map((tool) => tool.id);
    expect(new Set(ids).size).toBe(ids.length);
  });

  it("are those that Galaxy's client, BioBlend and the phage pipeline need", () => {
    const known = new Set(toolbox.tools().map((tool) => tool.id));
    expect(NEEDED.filter((id) => !known.has(id))).toEqual([]);
  });

  it('have tests of their own, but for what the node itself carries out', () => {
    const untested = toolbox.tools().filter((tool) => loaded(tool).tests.length === 0);
    expect(untested.map((tool) => [tool.id, tool.action])).toEqual([
      ['__DATA_FETCH__', 'internal'],
      ['upload1', 'internal'],
    ]);
  });

  it('have only tests that can be understood, and test data that is there', () => {
    for (const tool of toolbox.tools().map(loaded)) {
      const data = new TestData(tool.file, TOOLS);
      for (const test of tool.tests) {
        const planned = planInputs(tool.inputs, test.inputs);
        const files = [...planned.files.map(({ file }) => file), ...test.outputs.flatMap(({ file }) => file ?? [])];
        expect({
          test: `${tool.id} ${test.number}`,
          problems: test.problems,
          unknown: planned.unknown,
          absent: files.filter((file) => data.find(file) === undefined),
        }).toEqual({ test: `${tool.id} ${test.number}`, problems: [], unknown: [], absent: [] });
      }
    }
  });

  it('are without errors and warnings for who lints them, but for blanks in ids that users know', async () => {
    const { counts, findings } = await lintPaths([TOOLS]);
    expect(counts.files).toBe(toolbox.tools().length);
    expect(findings.filter(({ level, code }) => level !== 'info' && code !== 'id-blank')).toEqual([]);
  });

  it('that run a program say which version it has', () => {
    const silent = toolbox
      .tools()
      .map(loaded)
      .filter(({ requirements, versionCommand }) => requirements.length > 0 && versionCommand === undefined);
    expect(silent.map(({ id: tool }) => tool)).toEqual([]);
  });

  it('stand in the sections that Galaxy users know, each in one, without the hidden ones', () => {
    const sections = toolbox.sections();
    expect(sections.map(({ name }) => name)).toEqual([
      'Get Data',
      'Text Manipulation',
      'Filter and Sort',
      'Join, Subtract and Group',
      'Statistics',
      'FASTA/FASTQ',
      'SAM/BAM',
      'Mapping',
      'Variant calling',
      'BED',
      'Test Tools',
    ]);
    expect(sections[0]?.tools).toEqual(['upload1']);
    const shown = sections.flatMap(({ tools }) => tools);
    expect(new Set(shown).size).toBe(shown.length);
    expect(toolbox.tool('__DATA_FETCH__')?.section).toEqual({ id: 'getext', name: 'Get Data' });
  });

  it.each<[tool: string, inputs: JsonObject, data: string[], output: string]>([
    [
      'cat1',
      { input1: hda(1), 'queries_0|input2': hda(2), 'queries_1|input2': hda(1) },
      ['1 2 3\n', '4\n'],
      '1 2 3\n4\n1 2 3\n',
    ],
    ['cat', { input1: hda(1), queries: [{ input2: hda(2) }] }, ['a', 'b'], 'ab'],
    ['cat_data_and_sleep', { input1: hda(1), 'queries_0|input2': hda(2), sleep_time: '0' }, ['a\n', 'b\n'], 'a\nb\n'],
    ['cat_list', { input1: { values: [hda(2), hda(1)] } }, ['a\n', 'b\n'], 'b\na\n'],
    ['Show beginning1', { input: hda(1), lineNum: '2' }, ['h\n1\n2\n3'], 'h\n1\n'],
    ['Show beginning1', { input: hda(1), lineNum: 2, header: 'true' }, ['h\n1\n2\n3'], 'h\n1\n2\n'],
    ['Show tail1', { input: hda(1), lineNum: 1, header: true }, ['h\n1\n2\n3\n'], 'h\n3\n'],
    ['tail1', { input: hda(1), lineNum: 2 }, ['h\n1\n2\n3\n'], '2\n3\n'],
    ['sort1', { input: hda(1), column: '2', style: 'num', order: 'ASC' }, [table], 'c\t1\t1e1\nb\t2\t1e2\na\t10\t5\n'],
    [
      'sort1',
      { input: hda(1), column: '1', style: 'alpha', order: 'DESC' },
      [table],
      'c\t1\t1e1\nb\t2\t1e2\na\t10\t5\n',
    ],
    [
      'sort1',
      { input: hda(1), column: 'c3', style: 'gennum', order: 'ASC' },
      [table],
      'a\t10\t5\nc\t1\t1e1\nb\t2\t1e2\n',
    ],
    [
      'sort1',
      {
        input: hda(1),
        column: 1,
        style: 'alpha',
        order: 'ASC',
        header_lines: 1,
        column_set: [{ other_column: '2', other_style: 'num', other_order: 'DESC' }],
      },
      ['name\tn\nb\t1\na\t1\na\t3\na\t20\n'],
      'name\tn\na\t20\na\t3\na\t1\nb\t1\n',
    ],
    ['Grep1', { input: hda(1), pattern: '^chr\\d+', invert: 'false' }, ['chr1\nchrX\nx\n'], 'chr1\n'],
    ['Grep1', { input: hda(1), pattern: '^chr', invert: 'true' }, ['chr1\nchrX\nx\n'], 'x\n'],
    [
      'Grep1',
      { input: hda(1), pattern: 'it\'s|"q"', invert: 'false', keep_header: true },
      ['h\nit\'s\n"q"\nno\n'],
      'h\nit\'s\n"q"\n',
    ],
    ['Grep1', { input: hda(1), pattern: 'nowhere', invert: 'false' }, ['chr1\n'], ''],
    ['Grep1', { input: hda(1), pattern: '--version', invert: 'false' }, ['a --version b\n'], 'a --version b\n'],
    ['Cut1', { input: hda(1), columnList: 'c3,c1', delimiter: 'T' }, ['a\tb\tc\n#skip\t1\t2\nd\te\n'], 'c\ta\n.\td\n'],
    ['Cut1', { input: hda(1), columnList: 'c1-c2, c4', delimiter: 'C' }, ['a,b,c,d\n'], 'a\tb\td\n'],
    ['Cut1', { input: hda(1), columnList: 'c2', delimiter: 'P' }, ['a|b\n'], 'b\n'],
    ['Cut1', { input: hda(1), columnList: 'c2', delimiter: 'Dt' }, ['a.b\n'], 'b\n'],
    ['Cut1', { input: hda(1), columnList: 'c2', delimiter: 'Sp' }, ['a   b\n'], 'b\n'],
    [
      'wc_gnu',
      { input1: hda(1), options: 'lines,words,characters', include_header: 'True' },
      ['é b\nc\n'],
      '#lines\twords\tcharacters\n2\t3\t6\n',
    ],
    ['wc_gnu', { input1: hda(1), options: ['lines'], include_header: false }, ['a\nb\n'], '2\n'],
    ['Paste1', { input1: hda(1), input2: hda(2), delimiter: 'T' }, ['line 1\n', 'line 1\n'], 'line 1\tline 1\n'],
    ['Paste1', { input1: hda(1), input2: hda(2), delimiter: 'P' }, ['a\nb\n', '1\n2\n'], 'a|1\nb|2\n'],
    ['addValue', { input: hda(1), exp: '+', iterate: 'no' }, ['a\tb\nc\td\n'], 'a\tb\t+\nc\td\t+\n'],
    ['addValue', { input: hda(1), exp: '5', iterate: 'yes' }, ['a\nb\n'], 'a\t5\nb\t6\n'],
    ['addValue', { input: hda(1), exp: 'n', iterate: 'yes' }, ['a\nb\n'], 'a\tn-0\nb\tn-1\n'],
    ['Convert characters1', { input: hda(1), convert_from: 's' }, [' a  b c \n'], 'a\tb\tc\n'],
    [
      'Convert characters1',
      { input: hda(1), convert_from: 'P', strip: false, condense: false },
      ['a||b \n'],
      'a\t\tb \n',
    ],
  ])('%s %j gives the right bytes', async (tool, inputs, data, output) => {
    const ran = await runTool(toolbox, tool, inputs, data);
    expect({ stderr: ran.stderr, exitCode: ran.exitCode, output: Object.values(ran.outputs)[0] }).toEqual({
      stderr: '',
      exitCode: 0,
      output,
    });
  });

  it('tools with two outputs write both', async () => {
    expect((await runTool(toolbox, 'create_2', {})).outputs).toEqual({ out_file1: '1\n', out_file2: '2\n' });
    const many = await runTool(toolbox, 'multi_data_param', { f1: [hda(1), hda(2)], f2: id(2) }, ['a\n', 'b\n']);
    expect(many.outputs).toEqual({ out1: 'a\nb\n', out2: 'b\n' });
  });

  it('random_lines1 with a seed chooses the same lines each time, in their order', async () => {
    const text = Array.from({ length: 100 }, (_, index) => `line ${index}\n`).join('');
    const inputs = (seed: JsonValue, lines: number): JsonObject => ({
      num_lines: String(lines),
      input: hda(1),
      'seed_source|seed_source_selector': 'set_seed',
      'seed_source|seed': seed,
    });
    const first = await runTool(toolbox, 'random_lines1', inputs('asdf', 10), [text]);
    const again = await runTool(toolbox, 'random_lines1', inputs('asdf', 10), [text]);
    const other = await runTool(toolbox, 'random_lines1', inputs('asdg', 10), [text]);
    const lines = (first.outputs.out_file1 ?? '').trimEnd().split('\n');
    expect(first.stderr).toBe('');
    expect(lines).toHaveLength(10);
    expect(lines.map((line) => Number(line.slice(5)))).toEqual(
      [...lines.map((line) => Number(line.slice(5)))].sort((a, b) => a - b),
    );
    expect(again.outputs).toEqual(first.outputs);
    expect(other.outputs).not.toEqual(first.outputs);
    expect((await runTool(toolbox, 'random_lines1', inputs('x', 500), [text])).outputs.out_file1).toBe(text);
  });

  it('random_lines1 without a seed chooses as many lines as asked', async () => {
    const ran = await runTool(toolbox, 'random_lines1', { num_lines: 2, input: hda(1) }, ['a\nb\nc\n']);
    expect((ran.outputs.out_file1 ?? '').trimEnd().split('\n')).toHaveLength(2);
  });

  it('job_properties ends as it is told, and only 127 counts as a failure', async () => {
    const tool = toolbox.tool('job_properties');
    expect((await runTool(toolbox, 'job_properties', { thebool: true })).exitCode).toBe(0);
    expect((await runTool(toolbox, 'job_properties', { thebool: false })).exitCode).toBe(2);
    expect((await runTool(toolbox, 'job_properties', { thebool: true, failbool: true })).exitCode).toBe(127);
    expect(tool?.outputs.map(({ name }) => name)).toEqual(['out_file1']);
  });

  it('Cut1 says why when no column is named', async () => {
    const ran = await runTool(toolbox, 'Cut1', { input: hda(1), columnList: 'first', delimiter: 'T' }, ['a\tb\n']);
    expect(ran.exitCode).toBe(1);
    expect(ran.stderr).toContain('No column is named');
  });
});
