/**
 * The phage pipeline on a real node: reads → fastp → bwa mem → samtools sort → bcftools mpileup → call → VCF. Through the
 * API, with every form and dataset looked at, and compared with the same programs run by hand; then all of it in
 * Chromium with Galaxy's own client, as a biologist would.
 */
import { copyFileSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import type { Locator } from 'playwright-core';
import { afterAll, beforeAll, describe, expect } from 'vitest';
import type { Visitor } from '../../bin/demo/visitor.js';
import { packageRoot } from '../../protocol/runtime/package.js';
import { byHand } from '../support/by-hand.js';
import { type Expected, TestBrowser } from '../support/chromium.js';
import { endAllPrograms, scratchFolder } from '../support/processes.js';
import { itWith } from '../support/programs.js';
import { eventually, newVisitor, passwordOf, startStandAlone } from '../support/stand-alone.js';
import { type FormField, offered } from '../support/tool-form.js';

const PAIR = [1, 2].map((mate) => join(packageRoot(), `node/toolbox/tools/test-data/reads_${mate}.fastq.gz`));
const SINGLE = join(packageRoot(), 'test/data/reads_1.fq.gz');
const GENOME = gunzipSync(readFileSync(join(packageRoot(), 'test/data/lambda_virus.fa.gz')));
const CHROMOSOME = 'gi|9626243|ref|NC_001416.1|';
const GROUP = { ID: 'run1', SM: 'phage', PL: 'ILLUMINA' };
/** A report is foreign content: its scripts are not run in our origin, and nothing is fetched for it. */
const EXPECTED: Expected[] = [
  { matches: /Blocked script execution in '[^']*\/display\/\?preview=True'/, because: 'datasets run no scripts' },
];
const PROGRAMS = ['fastp', 'bwa', 'samtools', 'bcftools'];

interface Details {
  id: string;
  hid: number;
  name: string;
  state: string;
  extension: string;
  misc_info: string;
  creating_job: string;
  meta_files: { file_type: string; download_url: string }[];
  [metadata: `metadata_${string}`]: unknown;
}

const scratch = scratchFolder();
const hand = join(scratch.path, 'hand');
let url: string;
let visitor: Visitor;
let history: string;
let browser: TestBrowser | undefined;

beforeAll(async () => {
  ({ url } = await startStandAlone({ folder: join(scratch.path, 'node'), listen: '127.0.3.9' }));
  ({ visitor, history } = await newVisitor(url, 'ada'));
  writeFileSync(join(scratch.path, 'lambda.fa'), GENOME);
});

afterAll(async () => {
  await browser?.close();
  await endAllPrograms();
  scratch.remove();
});

let failed: string | undefined;
/** The steps are one way: after one that failed the others are not waited for. */
function step(programs: string[], name: string, work: () => unknown): void {
  itWith(...programs)(name, async () => {
    if (failed !== undefined) throw new Error(`not tried, because of the step "${failed}"`);
    failed = name;
    try {
      await work();
      failed = undefined;
    } finally {
      if (failed !== undefined) await browser?.screenshot('failed').catch(() => {});
    }
  });
}

describe('the phage pipeline through the API', () => {
  const made: Record<string, Details> = {};
  const it = (name: string, work: () => unknown) => step(PROGRAMS, name, work);

  it('takes reads and genome, and knows what they are', async () => {
    const files: [key: string, file: string, name: string][] = [
      ['forward', PAIR[0] as string, 'reads_1.fastq.gz'],
      ['reverse', PAIR[1] as string, 'reads_2.fastq.gz'],
      ['genome', join(scratch.path, 'lambda.fa'), 'lambda.fa'],
    ];
    for (const [key, file, name] of files) {
      const { id } = await visitor.uploadFile(history, file, name);
      made[key] = await ended(id);
    }
    expect(made.forward).toMatchObject({ extension: 'fastqsanger.gz', metadata_sequences: 365 });
    expect(made.reverse).toMatchObject({ extension: 'fastqsanger.gz', metadata_sequences: 365 });
    expect(made.genome).toMatchObject({ extension: 'fasta', metadata_sequences: 1 });
  });

  it('fastp trims the pair and reports', async () => {
    const form = await formOf('fastp');
    expect(offered(form, 'single_paired', 'paired', 'in1')).toEqual(ids(made.forward, made.reverse));
    const outputs = await run('fastp', {
      single_paired: { single_paired_selector: 'paired', in1: hda(made.forward), in2: hda(made.reverse) },
    });
    expect(formats(outputs)).toEqual({
      out1: 'fastqsanger.gz',
      out2: 'fastqsanger.gz',
      report_html: 'html',
      report_json: 'json',
    });
    Object.assign(made, outputs);
    expect(made.out1?.metadata_sequences).toBe(made.out2?.metadata_sequences);
    const report = JSON.parse((await bytesOf(outputs.report_json)).toString()) as {
      summary: Record<'before_filtering' | 'after_filtering', { total_reads: number }>;
    };
    expect(report.summary.before_filtering.total_reads).toBe(730);
    expect(report.summary.after_filtering.total_reads).toBe(2 * Number(made.out1?.metadata_sequences));
  });

  it('bwa mem maps them', async () => {
    const form = await formOf('bwa_mem');
    expect(offered(form, 'fastq_input', 'paired', 'fastq_input1')).toEqual(
      ids(made.forward, made.reverse, made.genome, made.out1, made.out2),
    );
    expect(offered(form, 'reference_source', 'history', 'ref_file')).toEqual(ids(made.genome));
    const { bam_output } = await run('bwa_mem', {
      reference_source: { reference_source_selector: 'history', ref_file: hda(made.genome) },
      fastq_input: {
        fastq_input_selector: 'paired',
        fastq_input1: hda(made.out1),
        fastq_input2: hda(made.out2),
      },
      rg: { rg_selector: 'set', ...GROUP },
      output_sort: 'unsorted',
    });
    expect(bam_output).toMatchObject({ extension: 'unsorted.bam', meta_files: [] });
    made.mapped = bam_output as Details;
  });

  it('samtools sorts the alignments, and the sorted ones have an index', async () => {
    expect(offered(await formOf('samtools_sort'), 'input1')).toEqual(ids(made.mapped));
    const { output1 } = await run('samtools_sort', { input1: hda(made.mapped) });
    expect(output1).toMatchObject({ extension: 'bam' });
    expect(output1?.meta_files.map(({ file_type }) => file_type)).toEqual(['bam_index']);
    made.sorted = output1 as Details;
    const answer = await visitor.fetch(`${output1?.meta_files[0]?.download_url}`);
    expect([answer.status, answer.body.subarray(0, 4).toString('latin1')]).toEqual([200, 'BAI\u0001']);
  });

  it('bcftools piles up and calls, and the VCF says whose variants it holds, on what', async () => {
    expect(offered(await formOf('bcftools_mpileup'), 'input_bam')).toEqual(ids(made.sorted));
    const likelihoods = await run('bcftools_mpileup', {
      input_bam: hda(made.sorted),
      reference_source: { reference_source_selector: 'history', ref_file: hda(made.genome) },
      output_type: 'b',
    });
    expect(formats(likelihoods)).toEqual({ output_file: 'bcf' });
    expect(offered(await formOf('bcftools_call'), 'input_file')).toEqual(ids(likelihoods.output_file));
    const called = await run('bcftools_call', {
      input_file: hda(likelihoods.output_file),
      ploidy: { selector: 'number', number: '1' },
    });
    expect(called.output_file).toMatchObject({
      extension: 'vcf',
      metadata_sample_names: ['phage'],
      metadata_contigs: [CHROMOSOME],
      metadata_columns: 10,
    });
    made.vcf = called.output_file as Details;
  });

  it('gives the records that the programs give when they are run by hand', async () => {
    byHand(scratch.path, 'mkdir hand && cp lambda.fa hand/genome.fa');
    PAIR.forEach((file, index) => {
      copyFileSync(file, join(hand, `raw_${index + 1}.fastq.gz`));
    });
    byHand(hand, 'fastp -i raw_1.fastq.gz -I raw_2.fastq.gz -o 1.fastq.gz -O 2.fastq.gz');
    byHand(hand, 'bwa index genome.fa');
    const group = ['@RG', ...Object.entries(GROUP).map((field) => field.join(':'))].join('\\t');
    byHand(hand, `bwa mem -R '${group}' genome.fa 1.fastq.gz 2.fastq.gz | samtools sort -o sorted.bam -`);
    const vcf = byHand(hand, 'bcftools mpileup -f genome.fa sorted.bam | bcftools call -mv --ploidy 1');
    writeFileSync(join(hand, 'node.bam'), await bytesOf(made.sorted));
    expect(byHand(hand, 'samtools view node.bam').split('\n')).toEqual(
      byHand(hand, 'samtools view sorted.bam').split('\n'),
    );
    const records = recordsOf(vcf);
    expect(records.length).toBeGreaterThan(10);
    expect(recordsOf((await bytesOf(made.vcf)).toString())).toEqual(records);
  });

  it('tells how the calls were made: the command, and what went in', async () => {
    const job = await visitor.api<{ command_line: string; inputs: object; exit_code: number }>(
      `/api/jobs/${made.vcf?.creating_job}?full=true`,
    );
    expect(job.command_line).toContain('bcftools call');
    expect(job.exit_code).toBe(0);
    expect(Object.keys(job.inputs)).toEqual(['input_file']);
  });

  it('tells the user when reads are no reads, and makes nothing of them', async () => {
    const { id } = await visitor.paste(history, 'no reads at all\n', { name: 'broken', ext: 'fastqsanger' });
    await visitor.waitForDataset(id);
    const { outputs } = await visitor.runTool(history, 'fastp', {
      single_paired: { single_paired_selector: 'single', in1: { src: 'hda', id } },
    });
    const states = await Promise.all(outputs.map((output) => visitor.waitForDataset(output.id)));
    expect(new Set(states.map(({ state }) => state))).toEqual(new Set(['error']));
  });
});

describe("the phage pipeline in Galaxy's own client", () => {
  const it = (name: string, work: () => unknown) => step(['chromium', ...PROGRAMS], name, work);
  const page = () => (browser as TestBrowser).page;
  const item = (hid: number, state?: string): Locator =>
    page().locator(`.content-item[data-hid="${hid}"]${state ? `[data-state="${state}"]` : ''}`);

  it('signs her in and takes reads and genome by its dialog', async () => {
    await newVisitor(url, 'ben');
    await eventually('the web client is there', async () => (await fetch(`${url}/login/start`)).ok, 110_000);
    browser = await TestBrowser.open('phage');
    await page().goto(`${url}/login/start`);
    await page().fill('input[name=login]', 'ben');
    await page().fill('input[name=password]', passwordOf('ben'));
    await page().click('button[name=login]');
    await page().locator('#user', { hasText: 'ben' }).waitFor();
    await page().click('#activity-upload');
    const [chooser] = await Promise.all([
      page().waitForEvent('filechooser'),
      page().locator('#btn-local:visible').first().click(),
    ]);
    await chooser.setFiles([join(scratch.path, 'lambda.fa'), SINGLE]);
    await page().locator('#btn-start:visible').first().click();
    await page().getByText('100%').nth(1).waitFor();
    for (const hid of [1, 2]) await item(hid, 'ok').waitFor();
    await browser.screenshot('1-uploaded');
    await page().locator('#btn-close:visible').first().click();
  });

  it('trims with fastp, whose form has chosen the reads', async () => {
    await open('fastp', 'fast all-in-one');
    expect(await chosen('single_paired|in1')).toBe('2: reads_1.fq.gz');
    await shot('2-fastp');
    await execute();
    for (const hid of [3, 4, 5]) await item(hid, 'ok').waitFor();
    await shot('3-trimmed');
  });

  it('shows the report of fastp as a page', async () => {
    await item(4).locator('.display-btn').click();
    await page().frameLocator('iframe[name="frame"]').first().getByText('fastp report for reads_1').first().waitFor();
    await shot('4-report');
  });

  it('maps with bwa mem, whose form changes with what is chosen', async () => {
    await open('bwa_mem', 'BWA-MEM');
    await choose('fastq_input|fastq_input_selector', 'Single');
    await field('fastq_input|fastq_input2').waitFor({ state: 'detached' });
    await choose('rg|rg_selector', 'Set, with the name of the reads');
    expect(await chosen('reference_source|ref_file')).toBe('1: lambda.fa');
    expect(await chosen('fastq_input|fastq_input1')).toBe('3: fastp on data 2: Read 1 output');
    await shot('5-bwa-mem');
    await execute();
    await item(6, 'ok').waitFor();
  });

  it('sorts, piles up and calls', async () => {
    await open('samtools_sort', 'Samtools sort');
    expect(await chosen('input1')).toContain('6: ');
    await execute();
    await item(7, 'ok').waitFor();
    await open('bcftools_mpileup', 'bcftools mpileup');
    await shot('6-mpileup');
    await execute();
    await item(8, 'ok').waitFor();
    await open('bcftools_call', 'bcftools call');
    await choose('ploidy|number', '1: haploid');
    await shot('7-call');
    await execute();
    await item(9, 'ok').waitFor();
  });

  it('shows the variants, and hands out the alignments with their index', async () => {
    await item(9).locator('.content-title').click();
    await item(9).getByText('vcf').first().waitFor();
    await item(9).locator('.dataset-peek', { hasText: 'fileformat=VCF' }).waitFor();
    await item(7).locator('.content-title').click();
    await item(7).getByText('bam').first().waitFor();
    await item(7).locator('.download-btn').first().click();
    await shot('8-called');
    const [download] = await Promise.all([
      page().waitForEvent('download'),
      item(7).getByText('Download bam_index').first().click(),
    ]);
    expect(download.suggestedFilename()).toMatch(/^Galaxy7-.*\.bam_index$/);
    expect(
      readFileSync(await download.path())
        .subarray(0, 4)
        .toString('latin1'),
    ).toBe('BAI\u0001');
    await item(9).locator('.display-btn').click();
    await page().frameLocator('iframe[name="frame"]').first().getByText('#CHROM').first().waitFor();
    await shot('9-variants');
  });

  it('met no error in its pages and no failed response on the whole way', () => {
    expect(browser?.unexpected(EXPECTED)).toEqual([]);
  });

  const shot = (name: string) => (browser as TestBrowser).screenshot(name);
  const field = (name: string): Locator => page().locator(`[id="form-element-${name}"]`);
  const chosen = async (name: string) =>
    (await field(name).locator('.multiselect__single').first().textContent())?.trim();

  /** In a list of choices. */
  async function choose(name: string, words: string): Promise<void> {
    await field(name).locator('.multiselect').first().click();
    await field(name).locator('.multiselect__option:visible', { hasText: words }).first().click();
    await field(name).locator('.multiselect__single', { hasText: words }).waitFor();
  }

  async function open(tool: string, words: string): Promise<void> {
    await page().fill('input[placeholder="search tools"]', words);
    await page().locator(`a[href*="tool_id=${tool}"]`).first().click();
    await page().locator('#execute').first().waitFor();
    await page().locator('.form-help').getByText('What it does').waitFor();
  }

  async function execute(): Promise<void> {
    const answer = await (browser as TestBrowser).answerTo(/^\/api\/(tools|jobs)$/, 'POST', () =>
      page().locator('#execute').first().click(),
    );
    expect(answer.status()).toBe(200);
  }
});

/** Waits for it, and it must be well. */
async function ended(id: string): Promise<Details> {
  await visitor.waitForDataset(id, 120_000);
  const details = await visitor.api<Details>(`/api/datasets/${id}?view=detailed`);
  expect({ name: details.name, state: details.state, info: details.misc_info }).toMatchObject({ state: 'ok' });
  return details;
}

/** By the output's name. */
async function run(tool: string, inputs: Record<string, unknown>): Promise<Record<string, Details>> {
  const { outputs } = await visitor.runTool(history, tool, inputs);
  const all = outputs as unknown as { id: string; output_name: string }[];
  return Object.fromEntries(
    await Promise.all(all.map(async ({ id, output_name }) => [output_name, await ended(id)] as const)),
  );
}

async function formOf(tool: string): Promise<FormField[]> {
  const form = await visitor.api<{ id: string; inputs: FormField[]; errors: object; versions: string[] }>(
    `/api/tools/${tool}/build?history_id=${history}`,
  );
  expect(form).toMatchObject({ id: tool, versions: [expect.any(String)] });
  return form.inputs;
}

function ids(...datasets: (Details | undefined)[]): string[] {
  return datasets.map((one) => one?.id ?? 'none').sort();
}

function hda(dataset: Details | undefined): { src: string; id: string } {
  return { src: 'hda', id: dataset?.id ?? '' };
}

function formats(outputs: Record<string, Details>): Record<string, string> {
  return Object.fromEntries(Object.entries(outputs).map(([name, { extension }]) => [name, extension]));
}

async function bytesOf(dataset: Details | undefined): Promise<Buffer> {
  const { status, body } = await visitor.fetch(`/api/datasets/${dataset?.id}/display?to_ext=data`);
  expect(status).toBe(200);
  return body;
}

/** With the line of column names, which names the sample. */
function recordsOf(vcf: string): string[] {
  return vcf.split('\n').filter((line) => line !== '' && !line.startsWith('##'));
}
