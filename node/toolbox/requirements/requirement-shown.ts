/**
 * A tool that cannot run here, as lists and forms show it. Galaxy's client has no place of its own for that: it shows a
 * tool's description in the panel, the search and the form's head, and the help below the form.
 */
import type { JsonObject } from '../../../protocol/log/entry.js';
import { escapeHtml } from '../help/html.js';

/** `lack` in words: `samtools is not installed`. Undefined: the tool can run. */
export function shownWithLack(shown: JsonObject, lack: string | undefined): JsonObject {
  if (lack === undefined) return shown;
  const description = `${String(shown.description ?? '')} (cannot run here: ${lack})`.trim();
  if (typeof shown.help !== 'string') return { ...shown, description };
  const message = `This tool cannot run on this node: ${lack}.`;
  return { ...shown, description, message, help: `<p><strong>${escapeHtml(message)}</strong></p>${shown.help}` };
}
