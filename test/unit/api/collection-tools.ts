/** Wrappers of a few lines for tests of collections and choices, and a toolbox that has nothing else. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createDatatypes } from '../../../node/datasets/datatype-registry.js';
import type { Toolbox } from '../../../node/toolbox/tool.js';
import { createToolbox } from '../../../node/toolbox/toolbox.js';
import { silentLogger } from '../../../protocol/runtime/logger.js';

const WRAPPERS: Record<string, string> = {
  double: `
    <command>cat '$one' '$one' &gt; '$out'; echo '$label' &gt;&gt; '$out'</command>
    <inputs>
      <param name="one" type="data" format="txt" label="File"/>
      <param name="label" type="text" value="end"/>
    </inputs>
    <outputs><data name="out" format="txt"/></outputs>`,
  both: `
    <command>cat '$left' '$right' &gt; '$out'</command>
    <inputs>
      <param name="left" type="data" format="txt"/>
      <param name="right" type="data" format="txt"/>
    </inputs>
    <outputs><data name="out" format="txt"/></outputs>`,
  join_pair: `
    <command>cat '$pair.forward' '$pair.reverse' &gt; '$out'</command>
    <inputs><param name="pair" type="data_collection" collection_type="paired" format="txt"/></inputs>
    <outputs><data name="out" format="txt"/></outputs>`,
  pieces: `
    <command>mkdir out; split -l 1 -a 1 '$one' out/part_</command>
    <inputs><param name="one" type="data" format="txt"/></inputs>
    <outputs>
      <collection name="parts" type="list">
        <discover_datasets pattern="part_(?P&lt;designation&gt;.+)" directory="out" format="txt"/>
      </collection>
    </outputs>`,
  gather: `
    <command>#for $name in $parts.keys()#
      printf '%s:' '$name' &gt;&gt; '$out'; cat '$parts[$name]' &gt;&gt; '$out';
    #end for#</command>
    <inputs><param name="parts" type="data_collection" collection_type="list" format="txt"/></inputs>
    <outputs><data name="out" format="txt"/></outputs>`,
  all_of: `
    <command>cat #for $one in $many# '$one' #end for# &gt; '$out'</command>
    <inputs><param name="many" type="data" format="txt" multiple="true"/></inputs>
    <outputs><data name="out" format="txt"/></outputs>`,
  choose: `
    <command>echo '$genome' '$genome.fields.path' '$column' '$leaves' '$build' '$group' &gt; '$out'</command>
    <inputs>
      <param name="table" type="data" format="tabular"/>
      <param name="genome" type="select">
        <options from_data_table="my_genomes"><validator type="no_options" message="Ask for a genome."/></options>
      </param>
      <param name="column" type="data_column" data_ref="table" numerical="true"/>
      <param name="leaves" type="drill_down" hierarchy="recurse" multiple="true" optional="true">
        <options>
          <option name="Plants" value="plants"><option name="Rice" value="rice"/></option>
        </options>
      </param>
      <param name="build" type="genomebuild"/>
      <param name="samples" type="data_collection" format="txt" optional="true"/>
      <param name="group" type="group_tag" data_ref="samples" optional="true"/>
    </inputs>
    <outputs><data name="out" format="txt"/></outputs>`,
};

const folders: string[] = [];

export async function collectionTools({ bundled = false } = {}): Promise<Toolbox> {
  const folder = mkdtempSync(join(tmpdir(), 'collection-tools-'));
  folders.push(folder);
  for (const [id, body] of Object.entries(WRAPPERS)) {
    writeFileSync(
      join(folder, `${id}.xml`),
      `<tool id="${id}" name="${id}" version="1" profile="21.05">${body}</tool>`,
    );
  }
  const toolbox = await createToolbox(
    { datatypes: createDatatypes(), log: silentLogger },
    { folders: [folder], bundled },
  );
  const problem = toolbox.problems().find(({ file }) => file.startsWith(folder));
  if (problem) throw new Error(`${problem.file}:${problem.line}: ${problem.message}`);
  return toolbox;
}

/** For afterAll. */
export function removeCollectionTools(): void {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
}

export const TABLE_CONFIGURATION = `<tables>
  <table name="my_genomes" comment_char="#">
    <columns>value, dbkey, name, path</columns>
    <file path="tool-data/my_genomes.loc"/>
  </table>
</tables>
`;
