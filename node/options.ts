/** Every option of a node, with its default and documentation. `galaxy-node config show` prints this table. */

import { z } from 'zod';
import { type OptionValues, option } from '../protocol/runtime/config.js';
import { publicUrl } from '../protocol/wire/calls/shapes.js';

const bytes = z.number().int().nonnegative();
const hostPort = z
  .string()
  .regex(/^(\[[0-9a-fA-F:]+\]|[^\s:]+):\d{1,5}$/, 'must be HOST:PORT, for example 127.0.0.1:8080');

export const NODE_OPTIONS = {
  dataFolder: option(
    z.string().min(1),
    './galaxy-data',
    'Where everything of this node lives. This is the folder to back up.',
  ),
  name: option(z.string().min(1).max(200), 'Galaxy node', "The institution's name, as other nodes and users see it."),
  brand: option(z.string().max(200), '', 'Text beside the Galaxy logo. Empty: the name.'),
  listen: option(hostPort, '127.0.0.1:8080', 'Address and port of the web interface and API. Port 0 takes a free one.'),
  publicUrl: option(
    z.union([publicUrl, z.literal('listen')]).nullable(),
    null,
    'The URL under which browsers reach this node. The coordinator checks it before it redirects users there.\n"listen": the address listened on. null: users reach this node through the coordinator only.',
  ),
  trustedProxies: option(
    z.array(z.string()),
    [],
    'Address ranges of reverse proxies whose X-Forwarded-For is believed. Without it everybody behind one proxy counts as one\nvisitor, and wrong passwords of some lock the sign-in of all.',
  ),
  logLevel: option(
    z.enum(['silent', 'error', 'warn', 'info', 'debug']),
    'info',
    'How much is logged (to standard error).',
  ),
  masterApiKey: option(
    z.string().min(16).max(200).nullable(),
    null,
    'An API key with all rights, for setting up and for tests. null: none.',
    { secret: true },
  ),
  allowRegistration: option(z.boolean(), true, 'Whether visitors may create their own account.'),
  passwordHashing: option(
    z.object({
      memoryKiB: z.number().int().min(8),
      iterations: z.number().int().min(1),
      parallelism: z.number().int().min(1),
    }),
    { memoryKiB: 19_456, iterations: 2, parallelism: 1 },
    'Cost of argon2id (OWASP: 19 MiB, 2 iterations). Lower it only for tests.',
  ),
  sessionHours: option(z.number().positive().max(12), 12, 'How long a sign-in lasts without activity.'),
  'uploads.sizeMaxBytes': option(
    bytes,
    50 * 2 ** 30,
    'Largest single upload, bytes. One account may have 500 that are not finished or not used, of four times this together.',
  ),
  'storage.minFreeBytes': option(
    bytes,
    512 * 2 ** 20,
    'Uploads and replicas are refused when the disk has less than this left, bytes.',
  ),
  'storage.capacityBytes': option(
    bytes.nullable(),
    null,
    'How much this node offers for copies of other nodes, bytes. null: what the disk has.',
  ),
  'jobs.handlers': option(z.number().int().min(1).max(64), 1, 'Job handler processes.'),
  'jobs.slots': option(z.number().int().min(1).max(10_000), 2, 'Jobs that run at the same time on this machine.'),
  'jobs.queueMax': option(
    z.number().int().min(1),
    100_000,
    'Jobs that may wait; more are refused with a clear message.',
  ),
  'tools.folders': option(z.array(z.string()), [], 'Folders with Galaxy tool wrappers (XML) besides the bundled ones.'),
  'tools.environment': option(
    z.string().max(10_000).nullable(),
    null,
    'Shell text that is read before a job, once for each package of the tool that is not on PATH, with {name} and {version}\nreplaced, for example: "module load {name}/{version}". null: none.',
  ),
  'tools.container': option(
    z
      .strictObject({
        engine: z.enum(['podman', 'docker', 'apptainer', 'singularity']),
        images: z.record(z.string(), z.string()).default({}),
        readable: z.array(z.string()).default([]),
        network: z.boolean().default(false),
        limits: z.boolean().default(true),
      })
      .nullable(),
    null,
    'A container program for tools whose packages are neither on PATH nor given by tools.environment:\n{engine: podman, images: {samtools: IMAGE}, readable: [/srv/references]}. A wrapper names its own image, else\n`images` does, by package. `readable`: folders that every container may read. `network: true`: containers reach the\nnetwork. `limits: false`: no bounds on cores, memory and processes, where the machine cannot set them. null: none.',
  ),
  'tools.userTools': option(
    z.enum(['nobody', 'admins', 'everyone']),
    'admins',
    'Who may add tools of their own (GalaxyUserTool) and run them, always confined: by a container, or by bubblewrap.\nWhere registration is open, "everyone" lets any visitor run programs of this machine.',
  ),
  'client.folder': option(
    z.string().nullable(),
    null,
    "The unpacked Galaxy web client. null: the node's own copy, fetched at installation or at the first start.",
  ),
  'network.listen': option(
    z.array(z.string()),
    ['/ip4/0.0.0.0/tcp/0'],
    'libp2p addresses to listen on, as multiaddrs. Used once the node has joined a network.',
  ),
  'network.announce': option(
    z.array(z.string()),
    [],
    'Addresses told to peers instead of those listened on, behind a NAT.',
  ),
  'network.heartbeatMs': option(
    z.number().int().min(50).max(60_000),
    1000,
    'How often this node reports to the coordinator, ms.',
  ),
  'replication.copies': option(
    z.number().int().min(1).max(10),
    2,
    'Confirmed holders, other than this node, before data is called safe.',
  ),
  'replication.paused': option(
    z.boolean(),
    false,
    'Stops sending copies of data and of changes: both stay at risk until it is turned off again.',
  ),
  'replication.mayHoldFrom': option(
    z.array(z.string()).nullable(),
    null,
    'Names of institutions whose data this node may hold. null: all.',
  ),
  'replication.maySendTo': option(
    z.array(z.string()).nullable(),
    null,
    'Names of institutions that may hold data of this node. null: all. The repository is always one.',
  ),
  'drain.deadlineMinutes': option(
    z.number().positive(),
    24 * 60,
    'How long a drain may take before it says what is not safe yet.',
  ),
} as const;

export type NodeOptions = OptionValues<typeof NODE_OPTIONS>;

export const NODE_ENVIRONMENT_PREFIX = 'GALAXY_NODE_';
