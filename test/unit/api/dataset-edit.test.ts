/** The page "Edit Dataset Attributes", with the datatypes that a node has. */
import { afterEach, describe, expect, it } from 'vitest';
import { createDatatypes } from '../../../node/datasets/datatype-registry.js';
import { type Body, closeTestApis, openTestApi } from './data-api.js';

afterEach(closeTestApis);

const TABLE = '#chrom\tstart\tend\tgene\nchr1\t100\t200\ta\nchr2\t300\t400\tb\n';
const NOTHING = '00000000000000ff';

async function withDataset(text = TABLE) {
  const api = await openTestApi({}, createDatatypes());
  const ana = await api.user('ana');
  const history = (await ana.post('/api/histories', { name: 'data' })).body.id as string;
  const id = (await ana.paste(history, text)).body.outputs[0].id as string;
  const forms = async () => (await ana.get(`/dataset/get_edit?dataset_id=${id}`)).body;
  const field = async (name: string) =>
    (await forms()).attribute_inputs.find((one: { name: string }) => one.name === name) as Body;
  const set = async (operation: string, form: object = {}) =>
    ana.put('/dataset/set_edit', { dataset_id: id, operation, ...form });
  const shown = async () => (await ana.get(`/api/datasets/${id}`)).body;
  return { ...api, ana, history, id, forms, field, set, shown };
}

describe('the forms', () => {
  it('are those of the client’s page, and what is not offered says so', async () => {
    const { forms, id } = await withDataset();
    const page = await forms();
    expect(page).toMatchObject({
      display_name: 'Pasted Entry',
      dataset_id: id,
      metadata_disable: false,
      datatype_disable: false,
      conversion_disable: true,
      permission_disable: true,
    });
    expect(page.attribute_inputs).toMatchObject([
      { type: 'text', name: 'name', value: 'Pasted Entry' },
      { type: 'text', name: 'info', area: true, value: '' },
      { type: 'text', name: 'annotation', area: true, value: '' },
      { type: 'select', name: 'dbkey', value: '?' },
    ]);
    const { options, value } = page.datatype_inputs[0];
    expect(value).toBe('txt');
    expect(options).toContainEqual(['tabular', 'tabular']);
    expect(page.conversion_inputs[0].label).toContain('not offered on this node yet');
    expect(page.permission_inputs[0].label).toContain('not offered on this node yet');
  });

  it('of a dataset without content leave its datatype alone; of a purged one there are none', async () => {
    const { ana, history, jobs, id } = await withDataset();
    jobs.endsUploads = false;
    const running = (await ana.paste(history, 'x')).body.outputs[0].id;
    expect((await ana.get(`/dataset/get_edit?dataset_id=${running}`)).body).toMatchObject({
      metadata_disable: true,
      status: 'warning',
    });
    for (const operation of ['datatype', 'datatype_detect', 'autodetect']) {
      const refused = await ana.put('/dataset/set_edit', { dataset_id: running, operation, datatype: 'tabular' });
      expect(refused.body).toEqual({ message: expect.stringContaining('has no content yet'), status: 'danger' });
    }
    await ana.delete(`/api/datasets/${id}`, { purge: true });
    expect((await ana.get(`/dataset/get_edit?dataset_id=${id}`)).status).toBe(409);
    const refused = await ana.put('/dataset/set_edit', { dataset_id: id, operation: 'attributes', name: 'x' });
    expect(refused.body).toEqual({ message: expect.stringContaining('was purged'), status: 'danger' });
  });

  it('are nobody else’s, and of nothing else', async () => {
    const { id, user, anonymous, ana } = await withDataset();
    const bob = await user('bob');
    expect((await bob.get(`/dataset/get_edit?dataset_id=${id}`)).status).toBe(404);
    const body = { dataset_id: id, operation: 'attributes', name: 'taken' };
    expect((await bob.put('/dataset/set_edit', body)).status).toBe(404);
    expect((await anonymous.put('/dataset/set_edit', body)).status).toBe(403);
    expect((await ana.get(`/dataset/get_edit?dataset_id=${NOTHING}`)).status).toBe(404);
    expect((await ana.get('/dataset/get_edit?dataset_id=x')).body.err_code).toBe(400009);
    expect((await ana.get('/dataset/get_edit')).body).toEqual({ err_msg: 'dataset_id is missing.', err_code: 400008 });
    const strange = await ana.put('/dataset/set_edit', { ...body, operation: 'shred' });
    expect([strange.status, strange.body.err_msg]).toEqual([400, expect.stringMatching(/^operation must be one of /)]);
  });
});

describe('saving attributes', () => {
  it('changes name, info, annotation and build, for the API as well', async () => {
    const { set, shown, forms } = await withDataset();
    const form = { name: ' Genes ', info: 'from a friend', annotation: 'check these', dbkey: 'hg38' };
    expect(await set('attributes', form)).toMatchObject({
      status: 200,
      body: { message: 'Attributes updated.', status: 'success' },
    });
    expect(await shown()).toMatchObject({
      name: 'Genes',
      misc_info: 'from a friend',
      annotation: 'check these',
      genome_build: 'hg38',
      metadata_dbkey: 'hg38',
    });
    expect((await forms()).attribute_inputs.map(({ value }: { value: unknown }) => value)).toEqual([
      'Genes',
      'from a friend',
      'check these',
      'hg38',
    ]);
    await set('attributes', { ...form, info: '', annotation: '', dbkey: ['?'] });
    expect(await shown()).toMatchObject({ misc_info: '', annotation: null, genome_build: '?' });
  });

  it('writes nothing when nothing was changed', async () => {
    const { set, forms, ana, core } = await withDataset();
    const same = Object.fromEntries(
      (await forms()).attribute_inputs.map(({ name, value }: { name: string; value: unknown }) => [name, value]),
    );
    const before = await core.log.vector(ana.account);
    expect((await set('attributes', same)).body.status).toBe('info');
    expect(await core.log.vector(ana.account)).toEqual(before);
  });

  it('refuses in words that the page shows, and then changes nothing', async () => {
    const { set, shown } = await withDataset();
    const refused = async (form: object) => {
      const { status, body } = await set('attributes', { name: 'new', ...form });
      expect([status, body.status]).toEqual([200, 'danger']);
      return body.message;
    };
    expect(await refused({ name: '  ' })).toBe('name must not be empty.');
    expect(await refused({ name: 7 })).toBe('name must be text, got a number.');
    expect(await refused({ info: 'x'.repeat(5000) })).toBe('info must have at most 4096 characters, got 5000.');
    expect(await refused({ dbkey: {} })).toMatch(/^dbkey must be text/);
    expect((await shown()).name).toBe('Pasted Entry');
  });

  it('a build that no list has stays when something else is saved', async () => {
    const { set, field, ana, id, shown } = await withDataset();
    await ana.put(`/api/datasets/${id}`, { genome_build: 'myGenome1' });
    const build = await field('dbkey');
    expect([build.value, build.options[0]]).toEqual(['myGenome1', ['myGenome1', 'myGenome1']]);
    await set('attributes', { name: 'n', dbkey: build.value });
    expect((await shown()).genome_build).toBe('myGenome1');
  });
});

describe('the datatype', () => {
  it('is changed, and with it what is known of columns, words and peek', async () => {
    const { set, shown, ana, history } = await withDataset();
    expect((await set('datatype', { datatype: 'tabular' })).body).toEqual({
      message: 'Changed the type to tabular.',
      status: 'success',
    });
    const table = await shown();
    expect(table).toMatchObject({
      file_ext: 'tabular',
      data_type: 'galaxy.datatypes.tabular.Tabular',
      metadata_columns: 4,
      metadata_column_types: ['str', 'int', 'int', 'str'],
      metadata_data_lines: 2,
      misc_blurb: '3 lines, 1 comments',
    });
    expect(table.peek).toContain('<th>4</th>');
    await set('datatype', { datatype: 'txt' });
    const text = await shown();
    expect(text).toMatchObject({ file_ext: 'txt', misc_blurb: '3 lines' });
    expect(text).not.toHaveProperty('metadata_columns');
    expect(await ana.get(`/api/histories/${history}/contents?q=extension&qv=txt`)).toMatchObject({
      body: [{ hid: 1 }],
    });
  });

  it('is changed in the same way by the API, for one and for many, and a copy has it', async () => {
    const { ana, history, id, shown } = await withDataset();
    const contents = `/api/histories/${history}/contents`;
    expect((await ana.put(`/api/datasets/${id}`, { file_ext: 'tabular' })).body.metadata_columns).toBe(4);
    const copy = (await ana.post(contents, { source: 'hda', content: id })).body;
    expect(copy).toMatchObject({ extension: 'tabular', metadata_columns: 4 });
    const change = { operation: 'change_datatype', params: { datatype: 'txt' }, items: [] };
    const items = [{ id, history_content_type: 'dataset' }];
    expect((await ana.put(`${contents}/bulk`, { ...change, items })).body.success_count).toBe(1);
    expect(await shown()).not.toHaveProperty('metadata_columns');
    const back = { ...change, params: { datatype: 'bed' }, items };
    await ana.put(`${contents}/bulk`, back);
    expect(await shown()).toMatchObject({
      metadata_columns: 4,
      metadata_nameCol: 4,
      misc_blurb: '2 regions, 1 comments',
    });
  });

  it('is detected from the bytes', async () => {
    const { set, shown } = await withDataset('>a\nACGT\n>b\nGG\n');
    expect((await set('datatype_detect')).body).toEqual({
      message: 'The type was detected and changed to fasta.',
      status: 'success',
    });
    expect(await shown()).toMatchObject({ file_ext: 'fasta', metadata_sequences: 2, misc_blurb: '2 sequences' });
    expect((await set('datatype_detect')).body.message).toBe('The type was detected: it is fasta, as it was.');
  });

  it('that does not exist is refused in words', async () => {
    const { set, shown } = await withDataset();
    expect((await set('datatype', { datatype: 'nonsense' })).body).toEqual({
      message: 'There is no datatype "nonsense". GET /api/datatypes lists them.',
      status: 'danger',
    });
    expect((await set('datatype')).body).toEqual({ message: 'datatype is missing.', status: 'danger' });
    expect((await shown()).file_ext).toBe('txt');
  });
});

describe('the columns of intervals', () => {
  it('are set by hand, within the columns that there are, and read from the dataset again', async () => {
    const { set, field, shown } = await withDataset();
    await set('datatype', { datatype: 'bed' });
    expect(await field('startCol')).toMatchObject({ type: 'select', value: '2', optional: false });
    expect((await field('nameCol')).options).toEqual([
      ['1: chrom', '1'],
      ['2: start', '2'],
      ['3: end', '3'],
      ['4: gene', '4'],
    ]);
    expect((await set('attributes', { chromCol: '4', nameCol: null, comment_lines: '7' })).body.status).toBe('success');
    const changed = await shown();
    expect(changed).toMatchObject({ metadata_chromCol: 4, metadata_startCol: 2, metadata_comment_lines: 7 });
    expect(changed).not.toHaveProperty('metadata_nameCol');
    expect((await set('attributes', { chromCol: '5' })).body.message).toBe('chromCol must be a column from 1 to 4.');
    expect((await set('attributes', { chromCol: '1; rm' })).body.message).toBe('chromCol must be a whole number.');
    expect((await set('attributes', { startCol: null })).body.message).toBe('startCol must be set.');
    expect((await set('autodetect')).body.status).toBe('success');
    expect(await shown()).toMatchObject({ metadata_chromCol: 1, metadata_nameCol: 4, metadata_comment_lines: 1 });
  });

  it('are no attributes of a text', async () => {
    const { set, shown } = await withDataset();
    await set('attributes', { name: 'text', chromCol: '2', columns: '9' });
    expect(await shown()).not.toHaveProperty('metadata_chromCol');
  });
});

it('what is not offered is refused in words, and changes nothing', async () => {
  const { set, ana, core } = await withDataset();
  const before = await core.log.vector(ana.account);
  for (const operation of ['conversion', 'permission']) {
    const { body } = await set(operation, { target_type: 'bed', DATASET_ACCESS: [] });
    expect(body).toEqual({ message: expect.stringContaining('not offered on this node yet'), status: 'danger' });
  }
  expect(await core.log.vector(ana.account)).toEqual(before);
});
