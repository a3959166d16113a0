/** What templates ask of datasets, tables and the machine. The numbers are how many real tools do. */
import { describe, expect, it } from 'vitest';
import { id } from '../fake-context.js';
import { contextOf, hda, hdca, line, out, tables } from './construct.js';

const DATA = '<param name="in" type="data" format="data"/>';
const LIST = '<param name="in" type="data_collection" collection_type="list" format="txt"/>';
const list = {
  c: {
    name: 'samples',
    hid: 3,
    type: 'list',
    elements: [
      ['s 1', id(1)],
      ["it's", id(2)],
    ] as [string, string][],
  },
};

describe('attributes in templates', () => {
  it('data attribute $__tool_directory__ (939 tools)', async () => {
    const beside = { 'say.sh': 'printf "%s\\n" "$1"\n' };
    expect(await out({ command: "sh '$__tool_directory__/say.sh' 'said' > '$out'", beside })).toBe('said\n');
  });

  it('data attribute GALAXY_SLOTS (656 tools)', async () => {
    const command = "echo -t \\${GALAXY_SLOTS:-4} '\\$GALAXY_SLOTS' \"\\${GALAXY_SLOTS:-1}\" > '$out'";
    expect(await out({ command })).toBe('-t 4 $GALAXY_SLOTS 1\n');
    expect(await out({ command }, {}, { environment: { GALAXY_SLOTS: '7' } })).toBe('-t 7 $GALAXY_SLOTS 7\n');
  });

  it('data attribute .ext (489 tools)', async () => {
    const command =
      "x '$in.ext' '${in.extension}' $in.datatype.file_ext $out.ext #if $in.ext == 'bed'# bed #end if# in.$in.ext.upper()";
    expect(await line({ inputs: DATA, command }, { in: hda(1) }, { data: [{ extension: 'bed' }] })).toBe(
      "x 'bed' 'bed' bed txt bed in.BED",
    );
  });

  it('data attribute .element_identifier (428 tools)', async () => {
    const command = "x '$in.element_identifier' '${in.name}'";
    expect(await line({ inputs: DATA, command }, { in: hda(1) }, { data: [{ name: 'a@b.txt' }] })).toBe(
      "x 'a@b.txt' 'a@b.txt'",
    );
    // Of a list: what each is called there.
    const each = "x #for $one in $in# '$one.element_identifier' '$one.name' #end for# '$in.name'";
    const world = { data: [{ name: 'n1' }, { name: 'n2' }], collections: list };
    expect(await line({ inputs: LIST, command: each }, { in: hdca('c') }, world)).toBe(
      "x 's 1' 'n1' 'it__sq__s' 'n2' 'samples'",
    );
    // Of a job that is one of many: what its dataset is called in the list that the jobs run over.
    const mapped = { values: [{ src: 'hdca', id: 'c' }], batch: true };
    expect(await line({ inputs: DATA, command }, { in: mapped }, world)).toBe("x 's 1' 'n1'");
  });

  it('data attribute .fields (284 tools)', async () => {
    const inputs = `<param name="ref" type="select"><options from_data_table="genomes"/></param>
      <param name="refs" type="select" multiple="true"><options from_data_table="genomes"/></param>`;
    const command = "x '${ref.fields.path}' $ref.fields.dbkey ${ref.fields.value} '$refs.fields.path'";
    const world = tables({
      genomes: {
        columns: ['value', 'dbkey', 'name', 'path'],
        rows: [
          ['hg', 'hg38', 'Human', '/ref/hg.fa'],
          ['mm', 'mm10', 'Mouse', '/ref/mm.fa'],
        ],
      },
    });
    expect(await line({ inputs, command }, { ref: 'mm', refs: ['hg', 'mm'] }, world)).toBe(
      "x '/ref/mm.fa' mm10 mm '/ref/hg.fa,/ref/mm.fa'",
    );
  });

  it('data attribute .metadata (195 tools)', async () => {
    const command = `x $in.metadata.columns '$in.metadata.column_types' $in.metadata.dbkey '$in.metadata.bam_index' '$in.metadata.nothing'
      #if $in.metadata.columns == "3"# three #end if# #if int($in.metadata.columns) > 2# more #end if# #if $in.metadata.bam_index# indexed #end if# \${$in.metadata.columns + "c"}`;
    const metadata = { columns: 3, column_types: ['str', 'int'], dbkey: 'hg38' };
    // What is not known is nothing, as text and as a test.
    expect(await line({ inputs: DATA, command }, { in: hda(1) }, { data: [{ extension: 'bed', metadata }] })).toBe(
      "x 3 'str,int' hg38 '' '' three more 3c",
    );
  });

  it('data attribute .files_path (131 tools)', async () => {
    const command =
      "mkdir -p '$out.files_path' && echo one > '$out.extra_files_path/part.txt' && ls '$out.files_path' > '$out'";
    expect(await out({ command })).toBe('part.txt\n');
    expect(
      await line({ inputs: DATA, command: "x '$in.extra_files_path/index'" }, { in: hda(1) }, { data: [''] }),
    ).toBe("x '/data/1.dat_files/index'");
  });

  it('data attribute GALAXY_MEMORY_MB (41 tools)', async () => {
    const command = "echo \\$((\\${GALAXY_MEMORY_MB:-4096} / 1024)) -Xmx\\${GALAXY_MEMORY_MB}m > '$out'";
    expect(await out({ command }, {}, { environment: { GALAXY_MEMORY_MB: '2048' } })).toBe('2 -Xmx2048m\n');
  });

  it('a dataset that was not given is None, false, and of no type', async () => {
    const inputs = '<param name="in" type="data" format="txt" optional="true"/>';
    const command =
      "x $in #if $in# never #end if# #if not $in# none #end if# $in.ext $in.is_of_type('txt') #if str($in) == 'None'# text #end if#";
    expect(await line({ inputs, command })).toBe('x None none data False text');
  });

  it('datasets of a group are found by their tag', async () => {
    const inputs = `${LIST}<param name="g" type="group_tag" data_ref="in"/>`;
    const command = 'x #for $one in $in.get_datasets_for_group($g)# $one #end for#';
    const base = { data: ['', ''], collections: list };
    const context = contextOf(base);
    context.dataset(id(2))!.record.tags = ['group:Treated'];
    const world = { ...base, context: { dataset: context.dataset, collection: context.collection } };
    expect(await line({ inputs, command }, { in: hdca('c'), g: 'Treated' }, world)).toBe('x /data/2.dat');
  });
});
