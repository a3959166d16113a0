/**
 * What clients send to upload, in Galaxy's two forms, as one list of items: the targets of /api/tools/fetch, and the
 * flat inputs of upload1. Pure; which file an item means is a number, the door resolves it.
 */
import { z } from 'zod';
import { uploadErrors } from '../datasets/errors.js';
import type { FetchItem } from '../jobs/job.js';
import { flag, parse } from './validation.js';

export type PlannedItem = Omit<FetchItem, 'source' | 'name'> & {
  /** Empty: the file's own. */
  name: string;
  source: { kind: 'upload'; index: number } | { kind: 'text'; text: string };
};

/** An upload made before, as `files_N|file_data` names it. */
export const uploadReference = z.object({ session_id: z.string().max(200), name: z.string().max(1024).nullish() });

const ITEMS_MAX = 1000;

/** Clients write JSON into form fields. */
function jsonText<S extends z.ZodType>(schema: S) {
  return z.preprocess((value) => {
    if (typeof value !== 'string') return value;
    try {
      return JSON.parse(value) as unknown;
    } catch {
      return value;
    }
  }, schema);
}

const element = z.object({
  src: z.string().max(50),
  paste_content: z.string().nullish(),
  url: z.string().max(10_000).nullish(),
  name: z.union([z.string(), z.number()]).nullish(),
  ext: z.string().max(255).nullish(),
  extension: z.string().max(255).nullish(),
  dbkey: z.string().max(255).nullish(),
  space_to_tab: flag.nullish(),
  to_posix_lines: flag.nullish(),
  auto_decompress: flag.nullish(),
  tags: z.array(z.string().max(255)).max(200).nullish(),
  elements: z.unknown().optional(),
});

const target = z.object({
  destination: z.object({ type: z.string().max(50) }),
  elements: z.array(element).max(ITEMS_MAX).nullish(),
  items: z.array(element).max(ITEMS_MAX).nullish(),
  auto_decompress: flag.nullish(),
});

const fetchBody = z.object({
  targets: jsonText(z.array(target).min(1).max(100)),
  auto_decompress: flag.nullish(),
});

const URL_LINE = /^\s*(https?|ftp|s3|gs|drs|file|gxfiles|base64|ssh):\/\/\S+/i;

/** Errors: `api/bad-parameter`, `uploads/by-url`, `uploads/not-offered`. */
export function planFetch(body: unknown): PlannedItem[] {
  const request = parse(fetchBody, body);
  const items: PlannedItem[] = [];
  let files = 0;
  for (const { destination, elements, items: older, ...options } of request.targets) {
    if (destination.type !== 'hdas') {
      throw uploadErrors('not-offered', {
        what: `Uploading into a destination of type "${destination.type}"`,
        mend: 'Upload into a history (type "hdas") and build the collection there.',
      });
    }
    for (const one of elements ?? older ?? []) {
      if (one.elements !== undefined && one.elements !== null) {
        throw uploadErrors('not-offered', {
          what: 'Uploading nested elements',
          mend: 'Name each file as one element.',
        });
      }
      const source = sourceOf(one, () => files++);
      items.push({
        name: one.name == null ? (source.kind === 'text' ? PASTED : '') : String(one.name),
        extension: one.ext || one.extension || 'auto',
        genomeBuild: one.dbkey || '?',
        toPosixLines: one.to_posix_lines ?? false,
        spaceToTab: one.space_to_tab ?? false,
        autoDecompress: one.auto_decompress ?? options.auto_decompress ?? request.auto_decompress ?? false,
        tags: one.tags ?? [],
        source,
      });
    }
  }
  if (items.length === 0) throw uploadErrors('bad-request', { reason: 'the targets name nothing to upload' });
  return items;
}

function sourceOf(one: z.output<typeof element>, nextFile: () => number): PlannedItem['source'] {
  switch (one.src) {
    case 'files':
      return { kind: 'upload', index: nextFile() };
    case 'pasted':
      return { kind: 'text', text: notUrls(one.paste_content ?? '') };
    case 'url':
      throw uploadErrors('by-url', { url: shortened(one.url ?? '') });
    default:
      throw uploadErrors('not-offered', {
        what: `Uploading from the source "${one.src}"`,
        mend: 'Send the file itself (src "files") or its text (src "pasted").',
      });
  }
}

const PASTED = 'Pasted Entry';

const legacyInputs = z.looseObject({
  file_type: z.string().max(255).nullish(),
  dbkey: z.string().max(255).nullish(),
});

/** upload1's inputs: `files_0|url_paste`, `files_0|NAME`, … `has` says for which numbers the form carries a file. */
export function planLegacyUpload(inputs: unknown, has: (index: number) => boolean): PlannedItem[] {
  const fields = parse(legacyInputs, inputs);
  const text = (key: string) => (typeof fields[key] === 'string' ? (fields[key] as string) : undefined);
  const said = (key: string) => fields[key] !== undefined && fields[key] !== null;
  const items: PlannedItem[] = [];
  for (let index = 0; index < ITEMS_MAX; index += 1) {
    const key = (name: string) => `files_${index}|${name}`;
    const pasted = text(key('url_paste'));
    if (!has(index) && !pasted) {
      if (said(key('ftp_files'))) {
        throw uploadErrors('not-offered', { what: 'Uploading by FTP', mend: 'Send the file itself.' });
      }
      if (Object.keys(fields).some((name) => name.startsWith(`files_${index + 1}|`))) continue;
      break;
    }
    const named = text(key('NAME')) ?? '';
    items.push({
      name: named || (has(index) ? '' : PASTED),
      extension: text(key('file_type')) || fields.file_type || 'auto',
      genomeBuild: text(key('dbkey')) || fields.dbkey || '?',
      toPosixLines: said(key('to_posix_lines')) ? parse(flag, fields[key('to_posix_lines')]) : true,
      spaceToTab: said(key('space_to_tab')) ? parse(flag, fields[key('space_to_tab')]) : false,
      autoDecompress: said(key('auto_decompress')) ? parse(flag, fields[key('auto_decompress')]) : false,
      tags: [],
      source: has(index) ? { kind: 'upload', index } : { kind: 'text', text: notUrls(pasted ?? '') },
    });
  }
  if (items.length === 0) throw uploadErrors('bad-request', { reason: 'it holds neither a file nor a text' });
  return items;
}

/** As Galaxy decides: text whose first line is a URL is a list of URLs. */
function notUrls(text: string): string {
  const first = text.trimStart().split('\n', 1)[0] ?? '';
  if (URL_LINE.test(first)) throw uploadErrors('by-url', { url: shortened(first) });
  return text;
}

function shortened(url: string): string {
  return url.trim().slice(0, 100);
}
