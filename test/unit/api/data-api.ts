/**
 * A node's core on a temporary folder with the HTTP door around it: real log, blobs and accounts; a toolbox of a few
 * tools and jobs that end when the test says so.
 */
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type ApiServer, createApiServer } from '../../../node/api/server.js';
import { type NodeCore, openNodeCore } from '../../../node/core.js';
import { LocalJobActivity } from '../../../node/datasets/activity.js';
import { Collections } from '../../../node/datasets/collections.js';
import { Datasets } from '../../../node/datasets/datasets.js';
import type { Datatype, Datatypes } from '../../../node/datasets/datatypes.js';
import { Uploads } from '../../../node/datasets/uploads.js';
import { uuidOf } from '../../../node/datasets/uuid.js';
import { Histories } from '../../../node/histories/histories.js';
import type {
  FetchSubmission,
  ImplicitCollection,
  JobService,
  JobState,
  LocalJobState,
  Submission,
  SubmittedJob,
} from '../../../node/jobs/job.js';
import { type Identity, planImplicit, planSubmission } from '../../../node/jobs/submission.js';
import { NODE_OPTIONS, type NodeOptions } from '../../../node/options.js';
import { createDataTables } from '../../../node/toolbox/data-tables/data-tables.js';
import type { Expansion, Tool, Toolbox } from '../../../node/toolbox/tool.js';
import { UserTools } from '../../../node/toolbox/user-tool/user-tools.js';
import { hidOf } from '../../../protocol/account/records.js';
import type { Draft, JsonObject, JsonValue } from '../../../protocol/log/entry.js';
import { systemClock } from '../../../protocol/runtime/clock.js';
import { DataFolder } from '../../../protocol/runtime/data-folder.js';
import { silentLogger } from '../../../protocol/runtime/logger.js';
import { systemRandom } from '../../../protocol/runtime/random.js';
import { initFolder } from '../../../protocol/trust/init-folder.js';
import { derivedId } from '../../../protocol/wire/ids.js';

export const MASTER_KEY = 'a-master-key-for-tests-only';

type Listener = (change: { account: string; job: string; state: JobState }) => void;

/** Accepts jobs as the real one does; `finish` decides their outcome. */
export class FakeJobs implements JobService {
  readonly fetched: FetchSubmission[] = [];
  readonly cancelled: string[] = [];
  readonly resumed: string[] = [];
  /** Uploads end at once. */
  endsUploads = true;
  refusal: Error | undefined;
  private readonly locals = new Map<string, LocalJobState>();
  private readonly listeners = new Set<Listener>();

  constructor(private readonly core: Pick<NodeCore, 'log' | 'ids' | 'blobs'>) {}

  async submit(
    account: string,
    submissions: Submission[],
    implicit: ImplicitCollection[] = [],
  ): Promise<SubmittedJob[]> {
    const identities = submissions.map((): Identity => {
      const job = this.core.ids.next();
      return { job, output: (name) => derivedId(job, name) };
    });
    const submitted: SubmittedJob[] = [];
    await this.core.log.append(account, (view) => {
      const now = systemClock.now();
      let hid = view.nextHid(submissions[0]?.history ?? '');
      const { drafts, hids, around, ids } = planImplicit(implicit, submissions, identities, hid, now);
      hid += hids;
      for (const [index, one] of submissions.entries()) {
        const planned = planSubmission(one, identities[index] as Identity, hid, now, around[index]);
        hid += planned.hids;
        drafts.push(...planned.drafts);
        submitted.push({ ...planned.submitted, ...(implicit.length > 0 ? { implicit: ids } : {}) });
      }
      return drafts;
    });
    return submitted;
  }

  async submitFetch(account: string, fetch: FetchSubmission): Promise<SubmittedJob> {
    if (this.refusal) throw this.refusal;
    this.fetched.push(fetch);
    const outputs = fetch.items.map((item, index) => ({
      name: `output${index}`,
      label: item.name,
      extension: item.extension,
      hidden: false,
      genomeBuild: item.genomeBuild,
    }));
    const job = { tool: fetch.tool, toolVersion: '1', params: {}, inputs: {} };
    const submitted = await this.accept(account, fetch.history, job, outputs);
    if (!this.endsUploads) return submitted;
    const texts: Record<string, string | Uint8Array> = {};
    for (const [index, { source }] of fetch.items.entries()) {
      texts[`output${index}`] = source.kind === 'text' ? source.text : await readFile(source.path);
    }
    await this.finish(account, submitted.job, texts);
    return submitted;
  }

  async cancel(account: string, job: string): Promise<void> {
    this.cancelled.push(job);
    await this.core.log.append(account, () => [{ type: 'job.cancelled', payload: { id: job } }]);
  }

  async resume(_account: string, job: string): Promise<void> {
    this.resumed.push(job);
  }

  local(job: string): LocalJobState | undefined {
    return this.locals.get(job);
  }

  setLocal(account: string, job: string, state: LocalJobState): void {
    this.locals.set(job, state);
    for (const listener of this.listeners) listener({ account, job, state: state.state });
  }

  counts() {
    return { queued: 0, running: 0, slots: 1 };
  }

  onChange(listener: Listener): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  async finish(
    account: string,
    job: string,
    texts: Record<string, string | Uint8Array>,
    failed?: { message: string },
  ): Promise<void> {
    this.locals.delete(job);
    const outputs: { [name: string]: JsonValue } = {};
    for (const [name, text] of Object.entries(texts)) {
      const bytes = Buffer.from(text);
      const ref = await this.core.blobs.put(pieces(bytes));
      outputs[name] = {
        state: failed ? 'error' : 'ok',
        extension: bytes.toString('latin1').includes('<html') ? 'html' : 'txt',
        files: [{ role: 'primary', path: '', blob: ref.blob, size: ref.size }],
        size: ref.size,
        peek: bytes.toString('latin1').slice(0, 200),
        blurb: `${bytes.length} bytes`,
        info: '',
        metadata: { data_lines: 1 },
      };
    }
    const payload: JsonObject = {
      id: job,
      epoch: 0,
      attempt: 1,
      state: failed ? 'error' : 'ok',
      executor: 'this node',
      exitCode: failed ? 1 : 0,
      ...(failed ? { message: failed.message } : {}),
      commandLine: 'true',
      stdout: 'said this',
      stderr: '',
      startedAt: 1_760_000_000_000,
      endedAt: 1_760_000_001_500,
      outputs,
    };
    await this.core.log.append(account, () => [{ type: 'job.outcome', payload }]);
    for (const listener of this.listeners) listener({ account, job, state: 'ok' });
  }

  private async accept(
    account: string,
    history: string,
    job: { tool: string; toolVersion: string; params: JsonObject; inputs: Submission['inputs'] },
    planned: { name: string; label: string; extension: string; hidden: boolean; genomeBuild?: string }[],
  ): Promise<SubmittedJob> {
    const id = this.core.ids.next();
    const outputs: Record<string, string> = {};
    await this.core.log.append(account, (view) => {
      const drafts: Draft[] = [];
      for (const [index, output] of planned.entries()) {
        const dataset = this.core.ids.next();
        outputs[output.name] = dataset;
        drafts.push({
          type: 'dataset.created',
          payload: {
            id: dataset,
            history,
            hid: view.nextHid(history) + index,
            uuid: uuidOf(dataset),
            createdAt: systemClock.now(),
            job: id,
            output: output.name,
            name: output.label,
            extension: output.extension,
            visible: !output.hidden,
            ...(output.genomeBuild ? { genomeBuild: output.genomeBuild } : {}),
          },
        });
      }
      const payload = { id, history, outputs, createdAt: systemClock.now(), ...job };
      return [...drafts, { type: 'job.submitted', payload: payload as JsonObject }];
    });
    return { job: id, outputs };
  }
}

async function* pieces(bytes: Uint8Array): AsyncIterable<Uint8Array> {
  if (bytes.length > 0) yield bytes;
}

const datatype = (extension: string, mimetype: string, className: string): Datatype => ({
  extension,
  mimetype,
  className,
  description: extension,
  parents: [],
  displayInUpload: true,
});

const DATATYPES = [
  datatype('txt', 'text/plain', 'galaxy.datatypes.data.Text'),
  datatype('html', 'text/html', 'galaxy.datatypes.text.Html'),
  datatype('tabular', 'text/plain', 'galaxy.datatypes.tabular.Tabular'),
  datatype('data', 'application/octet-stream', 'galaxy.datatypes.data.Data'),
];

export const fakeDatatypes: Datatypes = {
  all: () => DATATYPES,
  get: (extension) => DATATYPES.find((known) => known.extension === extension),
  accepts: () => true,
  sniff: async () => 'txt',
  inspect: async () => ({ extension: 'txt', state: 'ok', peek: '', blurb: '', metadata: {} }),
};

export function fakeTool(id: string, extra: Partial<Tool> = {}): Tool {
  return {
    id,
    version: '1.0.0',
    name: id,
    description: 'a tool',
    profile: '21.01',
    section: { id: 'text', name: 'Text' },
    file: `${id}.xml`,
    hidden: false,
    inputs: [
      {
        name: 'input1',
        type: 'data',
        label: 'Concatenate',
        help: '',
        optional: false,
        attributes: {},
        formats: ['data'],
      },
    ],
    outputs: [],
    requirements: [{ name: 'coreutils', version: '9.1', type: 'package' }],
    help: '',
    helpFormat: 'restructuredtext',
    citations: [],
    xrefs: [],
    edamOperations: [],
    edamTopics: [],
    action: 'command',
    source: '<tool/>',
    ...extra,
  };
}

/** `input1` is needed and must be a dataset; everything else is taken as it comes. */
export function fakeToolbox(tools: Tool[]): Toolbox {
  const datasetIn = (value: JsonValue | undefined): string | undefined => {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined;
    if (Array.isArray(value.values)) return datasetIn(value.values[0]);
    return typeof value.id === 'string' ? value.id : undefined;
  };
  return {
    tools: () => tools,
    sections: () => [{ id: 'text', name: 'Text', tools: tools.map(({ id }) => id) }],
    tool: (id, version) => tools.find((tool) => tool.id === id && (version === undefined || tool.version === version)),
    problems: () => [],
    reload: async () => {},
    expand(_tool, inputs, context): Expansion {
      const id = datasetIn(inputs.input1);
      if (id === undefined || context.dataset(id) === undefined) {
        return { jobs: [], errors: { input1: 'Please choose a dataset.' } };
      }
      return { jobs: [{ state: inputs, inputs: { input1: [{ kind: 'dataset', id }] } }], errors: {} };
    },
    plan: (tool, job, context) => [
      {
        name: 'out_file1',
        label: `${tool.name} on data ${hidOf(context.dataset(job.inputs.input1?.[0]?.id ?? '')!.record)}`,
        extension: 'txt',
        hidden: false,
        fromWorkDir: undefined,
      },
    ],
    prepare: () => {
      throw new Error('nothing is run here');
    },
    form: (tool, context, inputs) => ({
      id: tool.id,
      history_id: context.historyId,
      state_inputs: inputs,
      choices: context.choices().map(({ record }) => record.id),
    }),
    describe: (tool, options) => ({
      id: tool.id,
      name: tool.name,
      version: tool.version,
      model_class: 'Tool',
      ...(options.ioDetails ? { inputs: [], outputs: [] } : {}),
    }),
  };
}

export interface TestApi {
  server: ApiServer;
  core: NodeCore;
  jobs: FakeJobs;
  uploads: Uploads;
  histories: Histories;
  datasets: Datasets;
  folder: string;
  /** What the disk is said to have. */
  disk: { free: number };
  /** A new user; the caller speaks with her key. */
  user(name: string, options?: { admin?: boolean }): Promise<TestUser>;
  /** Without any key. */
  anonymous: TestUser;
}

/** What tests read of answers, by name: one object, or a list of them. What an answer really holds, each test asserts. */
export interface Body extends Array<Body> {
  // Known without a look at the length.
  0: Body;
  1: Body;
  2: Body;
  archived: boolean;
  attribute_inputs: Body;
  ck_data: string;
  conversion_inputs: Body;
  datatype_inputs: Body;
  default_panel_view: string;
  deleted: boolean;
  elements: Body;
  elems: Body;
  err_code: number;
  err_msg: string;
  file_ext: string;
  file_size: number;
  genome_build: string;
  hid: number;
  history_content_type: string;
  id: string;
  item_data: string;
  implicit_collections: Body;
  jobs: Body;
  label: string;
  message: string;
  metadata_columns: number;
  name: string;
  object: Body;
  options: [string, string][];
  output_collections: Body;
  outputs: Body;
  parameters: Body;
  peek: string;
  permission_inputs: Body;
  size: number;
  slug: string;
  state: string;
  state_inputs: Body;
  status: string;
  success_count: number;
  tags: string[];
  truncated: boolean;
  update_time: string;
  url: string;
  value: string;
  visible: boolean;
}

export interface Answer {
  status: number;
  headers: Record<string, string | string[] | number | undefined>;
  text: string;
  /** The JSON of it. */
  body: Body;
}

export interface TestUser {
  account: string;
  key: string;
  get(url: string, headers?: Record<string, string>): Promise<Answer>;
  post(url: string, body?: unknown, headers?: Record<string, string>): Promise<Answer>;
  put(url: string, body?: unknown): Promise<Answer>;
  delete(url: string, body?: unknown): Promise<Answer>;
  request(method: string, url: string, body: unknown, headers?: Record<string, string>): Promise<Answer>;
  /** A dataset with this text, uploaded. */
  paste(history: string, text: string, fields?: JsonObject): Promise<Answer>;
}

const opened: { stop(): Promise<void> }[] = [];

export async function openTestApi(
  change: Partial<NodeOptions> = {},
  datatypes: Datatypes = fakeDatatypes,
  toolbox?: Toolbox,
): Promise<TestApi> {
  const folder = await mkdtemp(join(tmpdir(), 'data-api-'));
  const defaults = Object.fromEntries(Object.entries(NODE_OPTIONS).map(([name, spec]) => [name, spec.default]));
  const options = {
    ...(defaults as unknown as NodeOptions),
    dataFolder: folder,
    listen: '127.0.0.1:0',
    masterApiKey: MASTER_KEY,
    passwordHashing: { memoryKiB: 8, iterations: 1, parallelism: 1 },
    'storage.minFreeBytes': 1_000_000,
    ...change,
  };
  await initFolder('node', folder, { name: 'node.yml', text: '' }, new Date(0));
  const runtime = { clock: systemClock, random: systemRandom, logger: silentLogger };
  const core = await openNodeCore(options, DataFolder.open(folder, 'node'), runtime);
  const { log, ids, blobs, accounts, lifecycle } = core;
  const jobs = new FakeJobs(core);
  const clock = systemClock;
  const activity = new LocalJobActivity({ jobs, clock });
  const histories = new Histories({ log, ids, clock, activity });
  const datasets = new Datasets({ log, ids, clock, activity, jobs, blobs, datatypes });
  const collections = new Collections({ log, ids, clock, activity });
  const disk = { free: 10 ** 12 };
  const uploads = lifecycle.add(
    'uploads',
    new Uploads(
      { clock, random: systemRandom, log: silentLogger, freeBytes: async () => disk.free },
      { folder: join(folder, 'uploads'), sizeMaxBytes: options['uploads.sizeMaxBytes'], minFreeBytes: 1_000_000 },
    ),
  );
  const tables = createDataTables({ folder: join(folder, 'tool-data') });
  const tools =
    toolbox ?? fakeToolbox([fakeTool('cat1'), fakeTool('Show beginning1'), fakeTool('shed/repos/x/tool/1.0')]);
  await lifecycle.start();
  const server = await createApiServer(
    {
      options,
      clock,
      random: systemRandom,
      log: silentLogger,
      identity: { name: 'test node', peerId: core.key.peerId },
      accounts,
      histories,
      datasets,
      collections,
      uploads,
      datatypes,
      tables,
      toolbox: tools,
      userTools: new UserTools({ log, ids, clock, toolbox: tools }, { who: options['tools.userTools'] }),
      jobs,
      blobs,
    },
    { listen: options.listen },
  );
  await server.app.ready();
  opened.push({
    async stop() {
      await server.stop();
      await lifecycle.stop();
      await rm(folder, { recursive: true, force: true });
    },
  });
  const caller = (account: string, key: string): TestUser => {
    const request: TestUser['request'] = async (method, url, body, headers = {}) => {
      const answer = await server.app.inject({
        method: method as 'GET',
        url,
        headers: {
          ...(key ? { 'x-api-key': key } : {}),
          ...(body !== undefined && !Buffer.isBuffer(body) ? { 'content-type': 'application/json' } : {}),
          ...headers,
        },
        ...(body === undefined ? {} : { payload: Buffer.isBuffer(body) ? body : JSON.stringify(body) }),
      });
      const isJson = String(answer.headers['content-type'] ?? '').includes('json');
      return {
        status: answer.statusCode,
        headers: answer.headers,
        text: answer.body,
        body: isJson && answer.body !== '' ? JSON.parse(answer.body) : undefined,
      };
    };
    return {
      account,
      key,
      request,
      get: (url, headers) => request('GET', url, undefined, headers),
      post: (url, body, headers) => request('POST', url, body ?? {}, headers),
      put: (url, body) => request('PUT', url, body ?? {}),
      delete: (url, body) => request('DELETE', url, body),
      paste: (history, text, fields = {}) =>
        request('POST', '/api/tools', {
          history_id: history,
          tool_id: 'upload1',
          inputs: {
            'files_0|url_paste': text,
            'files_0|type': 'upload_dataset',
            dbkey: '?',
            file_type: 'auto',
            ...fields,
          },
        }),
    };
  };
  return {
    server,
    core,
    jobs,
    uploads,
    histories,
    datasets,
    folder,
    disk,
    anonymous: caller('', ''),
    async user(name, { admin = false } = {}) {
      const { account } = await accounts.signUp({
        email: `${name}@example.org`,
        username: name,
        password: 'long enough',
      });
      // Tests count what they make themselves.
      const view = await accounts.viewOf(account);
      for (const { id } of [...view.list('history')]) await histories.delete(account, id, { purge: true });
      if (admin) await accounts.grantAdmin(account);
      return caller(account, await accounts.keys.create(account));
    },
  };
}

/** For afterEach. */
export async function closeTestApis(): Promise<void> {
  for (const one of opened.splice(0)) await one.stop();
}
