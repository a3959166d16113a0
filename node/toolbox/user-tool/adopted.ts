/**
 * A user's own tool as the toolbox holds it: made of what the account's log says, when somebody asks, and kept while it is
 * in use. It is known by its UUID, so that no user's tool can pass for one that is installed.
 */
import { createHash } from 'node:crypto';
import { stringify } from 'yaml';
import type { JsonObject } from '../../../protocol/log/entry.js';
import { malformed } from '../errors.js';
import type { LoadedTool } from '../loaded.js';
import { readUserTool } from './user-tool.js';

const HELD_MAX = 256;
const SECTION = { id: 'user_tools', name: 'My tools' };
const FILE = 'tool.yml';

export class AdoptedTools {
  private readonly held = new Map<string, LoadedTool>();

  /** Throws as the loader does; lines are those of the YAML that Galaxy's editor shows. */
  get(uuid: string, representation: JsonObject): LoadedTool {
    const source = stringify(representation, { blockQuote: 'literal', aliasDuplicateObjects: false, lineWidth: 0 });
    const key = createHash('sha256').update(`${uuid}\n${source}`).digest('base64url');
    const tool = this.held.get(key) ?? load(uuid, source);
    this.held.delete(key);
    this.held.set(key, tool);
    for (const oldest of this.held.keys()) {
      if (this.held.size <= HELD_MAX) break;
      this.held.delete(oldest);
    }
    return tool;
  }
}

function load(uuid: string, source: string): LoadedTool {
  const { head, body } = readUserTool(source, { file: FILE, check: true, id: uuid });
  if (head.containers.length === 0) throw malformed('the tool names no container', { file: FILE, line: 1 });
  return { ...head, ...body, id: uuid, section: SECTION, source, confine: 'sandbox' };
}
