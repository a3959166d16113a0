/**
 * What a handler says it has collected, taken into the blob store, and the list of what was found beside the outputs
 * (found.ts). A handler is ours, but it ran a tool: only files of the run's own folder of outputs are taken.
 */
import { sep } from 'node:path';
import type { ContentFile, JobOutcome } from '../../protocol/account/entries.js';
import type { BlobStore } from '../../protocol/blobs/blob.js';
import { type FoundList, foundList, isNothing } from './found.js';
import { type AdoptedOutput, clip, filesOf } from './outcome.js';
import { outputsOf } from './prepared-run.js';
import { type FoundFile, type RunOutputResult, type RunResult, type RunSpec, runPaths } from './run-spec.js';

/** Extra files of a whole job that its outcome tells; more of them go into the list. */
const INLINE_FILES_MAX = 40;
/** Files taken in at a time. */
const AT_ONCE = 16;

export interface Taken {
  adopted: Map<string, AdoptedOutput>;
  found: JobOutcome['found'];
}

export async function takeOutputs(
  deps: { blobs: Pick<BlobStore, 'adopt' | 'put'> },
  spec: RunSpec,
  result: RunResult,
): Promise<Taken> {
  const taker = new Taker(deps.blobs, runPaths(spec.folder).outputs);
  const allowed = new Map(outputsOf(spec).map((output) => [output.name, output.file]));
  const list: FoundList = { version: 1, datasets: [], collections: {}, files: {}, said: {} };
  const adopted = new Map<string, AdoptedOutput>();
  let inline = 0;
  for (const output of result.outputs) {
    const { name, file } = output;
    if (file === undefined || allowed.get(name) !== file) continue;
    const taken = await taker.take({ ...output, file });
    const { more = [] } = taken;
    const isMany = inline + more.length > INLINE_FILES_MAX;
    const index = more.filter(({ role }) => role === 'metadata');
    if (isMany) list.files[name] = more.filter(({ role }) => role !== 'metadata');
    else inline += more.length;
    adopted.set(name, { ...taken, more: isMany ? index : more });
    if (output.label !== undefined || output.genomeBuild !== undefined) {
      list.said[name] = {
        ...(output.label === undefined ? {} : { name: clip(output.label, 255) }),
        ...(output.genomeBuild === undefined ? {} : { genomeBuild: clip(output.genomeBuild, 255) }),
      };
    }
  }
  const found = result.found ?? [];
  for (let first = 0; first < found.length; first += AT_ONCE) {
    list.datasets.push(...(await Promise.all(found.slice(first, first + AT_ONCE).map((one) => taker.dataset(one)))));
  }
  list.collections = result.elements ?? {};
  if (isNothing(list)) return { adopted, found: undefined };
  const bytes = Buffer.from(JSON.stringify(foundList.parse(list)));
  const { blob, size } = await deps.blobs.put(once(bytes));
  return { adopted, found: { blob, size } };
}

class Taker {
  constructor(
    private readonly blobs: Pick<BlobStore, 'adopt'>,
    private readonly folder: string,
  ) {}

  async take(output: Pick<RunOutputResult, 'extra' | 'metadataFiles'> & { file: string }): Promise<AdoptedOutput> {
    const primary = await this.adopt(output.file);
    const more: ContentFile[] = [];
    for (const { name, file } of output.metadataFiles ?? []) {
      more.push({ role: 'metadata', path: name, ...(await this.adopt(file)) });
    }
    for (const { path, file } of output.extra ?? []) {
      more.push({ role: 'extra', path, ...(await this.adopt(file)) });
    }
    return { ...primary, ...(more.length > 0 ? { more } : {}) };
  }

  async dataset(found: FoundFile): Promise<FoundList['datasets'][number]> {
    const taken = await this.take(found);
    return {
      key: found.key,
      name: clip(found.label ?? found.name, 1024),
      extension: clip(found.extension, 255),
      ...(found.genomeBuild === undefined ? {} : { genomeBuild: clip(found.genomeBuild, 255) }),
      visible: found.visible,
      content: {
        state: found.state,
        extension: clip(found.extension, 255),
        files: filesOf(taken),
        size: taken.size,
        peek: clip(found.peek, 4096),
        blurb: clip(found.blurb, 1024),
        info: clip(found.info, 1024),
        metadata: JSON.stringify(found.metadata).length > 16_384 ? {} : found.metadata,
        ...(found.createdFrom === undefined ? {} : { createdFrom: clip(found.createdFrom, 1024) }),
      },
    };
  }

  private adopt(file: string) {
    if (!file.startsWith(this.folder + sep) || file.split(sep).includes('..')) {
      throw new Error('a handler named a file outside the outputs of its run');
    }
    return this.blobs.adopt(file);
  }
}

async function* once(bytes: Uint8Array): AsyncIterable<Uint8Array> {
  yield bytes;
}
