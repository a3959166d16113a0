/** What else stands in a wrapper. The numbers are how many real tools use it. */
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { LoadedTool } from '../../../../node/toolbox/loaded.js';
import { id } from '../fake-context.js';
import { hda, hdca, line, out, problemsOf, run, withTool } from './construct.js';

const loaded = <T>(before: string, read: (tool: LoadedTool) => T) =>
  withTool({ before, command: 'x' }, async ({ tool }) => read(tool as LoadedTool));

describe('the rest of a wrapper', () => {
  it('rest <requirements> (2693 tools)', async () => {
    const before = `<requirements><requirement type="package" version="1.17">samtools</requirement>
      <requirement type="package">coreutils</requirement><requirement type="set_environment">PATH_TO</requirement></requirements>`;
    // Variables of the environment are the operator's business, and are noted.
    expect(await loaded(before, ({ notes }) => notes)).toMatchObject([
      { message: expect.stringContaining('set_environment') },
    ]);
    expect(await loaded(before, ({ requirements }) => requirements)).toEqual([
      { name: 'samtools', version: '1.17', type: 'package' },
      { name: 'coreutils', version: undefined, type: 'package' },
    ]);
  });

  it('rest <configfile> (453 tools)', async () => {
    const before = `<configfiles><configfile name="conf"><![CDATA[#for $n in range(2)
line $n
#end for
'$t' "$out"]]></configfile><configfile filename="fixed.txt">fixed</configfile></configfiles>`;
    const inputs = `<param name="t" type="text" value="a b"/>`;
    const ran = await run({ before, inputs, command: "cat '$conf' fixed.txt > '$out'" });
    const path = /"(\S+dataset_0\.dat)"/.exec(ran.outputs.out ?? '')?.[1];
    expect(ran.outputs.out).toBe(`line 0\nline 1\n'a b' "${path}"fixed`);
  });

  it('rest <configfile> (453 tools): <inputs> writes every parameter as JSON', async () => {
    const before = '<configfiles><inputs name="params" data_style="paths"/></configfiles>';
    const inputs = `<param name="in" type="data" format="txt"/><param name="n" type="integer" value="2"/><param name="f" type="float" optional="true"/>
      <param name="b" type="boolean" truevalue="--b" falsevalue="" checked="true"/><param name="t" type="text" value="it's"/>
      <param name="s" type="select" multiple="true"><option value="p" selected="true">P</option></param>
      <param name="col" type="data_column" data_ref="in"/>
      <conditional name="c"><param name="k" type="select"><option value="a">A</option></param><when value="a"><param name="h" type="hidden" value="v"/></when></conditional>
      <repeat name="r" title="R"><param name="x" type="color" value="#ff0000"/></repeat><section name="sec" title="S"><param name="y" type="integer" value="1"/></section>`;
    const given = { in: hda(1), col: '2', r: [{}] };
    const text = await out(
      { attributes: 'profile="22.05"', before, inputs, command: "cat '$params' > '$out'" },
      given,
      { data: ['a\tb\n'] },
    );
    expect(JSON.parse(text)).toEqual({
      in: expect.stringMatching(/^\/.*1\.dat$/),
      n: 2,
      f: null,
      b: true,
      t: 'it__sq__s',
      s: ['p'],
      col: [2],
      c: { k: 'a', h: 'v' },
      r: [{ x: '__pd__ff0000' }],
      sec: { y: 1 },
    });
  });

  it('rest <configfile> (453 tools): data_style says how datasets and collections are staged', async () => {
    const before = '<configfiles><inputs name="params" data_style="staging_path_and_source_path"/></configfiles>';
    const inputs =
      '<param name="in" type="data" format="txt"/><param name="c" type="data_collection" collection_type="list" format="txt"/>';
    const collections = {
      l: {
        name: 'L',
        hid: 3,
        type: 'list',
        elements: [
          ['../up', id(1)],
          ['b c', id(2)],
        ] as [string, string][],
      },
    };
    const world = { data: [{ name: 'n.txt' }, { extension: 'bed' }], collections };
    const text = await out({ before, inputs, command: "cat '$params' > '$out'" }, { in: hda(1), c: hdca('l') }, world);
    const staged = (identifier: string, path: string, ext: string) => ({
      element_identifier: [identifier],
      ext,
      staging_path: path,
      source_path: expect.stringMatching(/\.dat$/),
      metadata_files: [],
    });
    expect(JSON.parse(text)).toEqual({
      in: staged('n.txt', 'n.txt.txt', 'txt'),
      c: [staged('../up', '_up.txt', 'txt'), staged('b c', 'b c.bed', 'bed')],
    });
  });

  it('rest <environment_variables> (40 tools)', async () => {
    const before = `<environment_variables><environment_variable name="MINE">$t/\${len($t)}</environment_variable>
      <environment_variable name="TRIMMED" strip="true">
        x
      </environment_variable></environment_variables>`;
    const inputs = '<param name="t" type="text" value="a b"/>';
    expect(await out({ before, inputs, command: 'printf \'%s|%s\' "\\$MINE" "\\$TRIMMED" > \'$out\'' })).toBe(
      'a b/3|x',
    );
    const secret = '<environment_variables><environment_variable name="KEY" inject="api_key"/></environment_variables>';
    expect(await problemsOf({ before: secret, command: 'x' })).toMatchObject([
      { line: 1, message: expect.stringContaining('inject="api_key"') },
    ]);
  });

  it('rest <container> (120 tools)', async () => {
    const before = `<requirements><container type="docker">quay.io/x/y:1</container><container type="singularity">docker://x/z:2</container></requirements>`;
    expect(await loaded(before, ({ containers }) => containers)).toMatchObject([
      { type: 'docker', image: 'quay.io/x/y:1' },
      { type: 'singularity', image: 'docker://x/z:2' },
    ]);
  });

  it('rest interpreter= (167 tools)', async () => {
    const tool = {
      commandAttributes: 'interpreter="sh"',
      command: 'say.sh "a b" \'$out\'',
      beside: { 'say.sh': 'printf "%s" "$1" > "$2"\n' },
    };
    expect(await out(tool)).toBe('a b');
    // Since 16.04 it means nothing, and the wrapper says where its files are.
    expect(await line({ ...tool, attributes: 'profile="16.04"' })).toBe('say.sh "a b" \'/out/out.dat\'');
  });

  it('rest <version_command>', async () => {
    const { prepared } = await run({
      before: "<version_command>printf 'v%s' '1.2' | cat</version_command>",
      command: 'true',
    });
    await withTool({ command: 'true' }, async (_, folder) => {
      const script = join(folder, 'version.sh');
      writeFileSync(script, prepared.versionScript ?? '');
      expect(execFileSync('sh', [script], { encoding: 'utf8' })).toBe('v1.2');
    });
  });

  it('rest <version_command>: the folder of the tool is the one name that stands for something', async () => {
    const { prepared } = await run({
      before: '<version_command>cat "$__tool_directory__/version"; echo $HOME $in</version_command>',
      command: 'true',
    });
    expect(prepared.versionScript).toMatch(/\ncat "\/[^"$]+\/tools\/version"; echo \$HOME \$in\n$/);
  });

  it('rest <required_files>', async () => {
    const before = `<required_files extend_default_excludes="false"><include path="a.py"/><include type="glob" path="lib/*.py"/><exclude type="regex" path=".*~"/></required_files>`;
    expect(await loaded(before, ({ requiredFiles }) => requiredFiles)).toEqual({
      extendDefaultExcludes: false,
      include: [
        { path: 'a.py', type: 'literal' },
        { path: 'lib/*.py', type: 'glob' },
      ],
      exclude: [{ path: '.*~', type: 'regex' }],
    });
  });

  it('rest <help>, <citations>, <xrefs>, <creator> and EDAM', async () => {
    const before = `<description>does it</description><help><![CDATA[**Bold**]]></help><citations><citation type="doi">https://doi.org/10.1093/x/y1</citation><citation type="bibtex">@misc{a}</citation></citations>
      <xrefs><xref type="bio.tools">samtools</xref></xrefs><edam_topics><edam_topic>topic_3170</edam_topic></edam_topics><edam_operations><edam_operation>operation_0004</edam_operation></edam_operations>
      <creator><person givenName="A" familyName="B" url="https://x.org"/></creator>`;
    expect(
      await loaded(before, ({ description, help, citations, xrefs, edamTopics, edamOperations, creators }) => ({
        ...{ description, help, citations, xrefs, edamTopics, edamOperations, creators },
      })),
    ).toEqual({
      description: 'does it',
      help: '**Bold**',
      citations: [
        { type: 'doi', content: '10.1093/x/y1' },
        { type: 'bibtex', content: '@misc{a}' },
      ],
      xrefs: [{ reftype: 'bio.tools', value: 'samtools' }],
      edamTopics: ['topic_3170'],
      edamOperations: ['operation_0004'],
      creators: [{ kind: 'person', attributes: { givenName: 'A', familyName: 'B', url: 'https://x.org' } }],
    });
  });
});
