/** The toolbox of a data folder without its node: what `tool list`, `show` and `install` look at. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { systemClock } from '../../protocol/runtime/clock.js';
import type { Logger } from '../../protocol/runtime/logger.js';
import { createDatatypes } from '../datasets/datatype-registry.js';
import { jobPath } from '../jobs/job-path.js';
import type { NodeOptions } from '../options.js';
import { RequirementResolver } from '../toolbox/requirements/requirements.js';
import type { Toolbox } from '../toolbox/tool.js';
import { createToolbox } from '../toolbox/toolbox.js';
import { installTools, placeInSection } from '../toolbox/wrapper/install.js';

export interface OfflineToolbox {
  toolbox: Toolbox;
  resolver: RequirementResolver;
  /** What is neither of the configured folders nor installed came with the product. */
  origin(file: string): 'bundled' | 'configured' | 'installed';
}

export async function openToolbox(
  options: Pick<NodeOptions, 'tools.folders' | 'tools.environment' | 'tools.container'>,
  folder: string,
  log: Logger,
): Promise<OfflineToolbox> {
  const installed = join(folder, 'tools');
  const configured = [...options['tools.folders']];
  const toolbox = await createToolbox({ datatypes: createDatatypes(), log }, { folders: configured, installed });
  const resolver = new RequirementResolver(
    { clock: systemClock },
    { path: jobPath(), environment: options['tools.environment'], container: options['tools.container'] },
  );
  const below = (file: string, place: string) => file === place || file.startsWith(`${place}/`);
  return {
    toolbox,
    resolver,
    origin: (file) => {
      if (below(file, installed)) return 'installed';
      return configured.some((place) => below(file, place)) ? 'configured' : 'bundled';
    },
  };
}

export interface InstalledTools {
  folder: string;
  replaced: boolean;
  tools: { id: string; version: string; section: string }[];
}

export async function installOffline(
  source: string,
  tools: string,
  section: string | undefined,
  log: Logger,
): Promise<InstalledTools> {
  const datatypes = createDatatypes();
  const { folder, replaced, tools: copied } = await installTools({ datatypes, log }, source, tools);
  const ids = [...new Set(copied.map(({ id }) => id))];
  if (section !== undefined) await placeInSection(tools, ids, section);
  // With the bundled ones: a tool of a known id keeps its place.
  const all = await createToolbox({ datatypes, log }, { folders: existsSync(tools) ? [tools] : [] });
  return {
    folder,
    replaced,
    tools: copied.map(({ id, version }) => ({ id, version, section: all.tool(id, version)?.section.name ?? 'Tools' })),
  };
}
