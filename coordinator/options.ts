/** Every option of a coordinator, with its default and documentation. `galaxy-coordinator config show` prints this table. */
import { z } from 'zod';
import { type OptionValues, option } from '../protocol/runtime/config.js';

const bytes = z.number().int().nonnegative();
const hostPort = z
  .string()
  .regex(/^(\[[0-9a-fA-F:]+\]|[^\s:]+):\d{1,5}$/, 'must be HOST:PORT, for example 127.0.0.1:8070');
const multiaddrList = z.array(z.string().startsWith('/', 'must be a multiaddr, for example /ip4/0.0.0.0/tcp/4070'));
const milliseconds = z.number().int().min(10).max(86_400_000);

export const COORDINATOR_OPTIONS = {
  dataFolder: option(
    z.string().min(1),
    './coordinator-data',
    'Where everything of this coordinator and of its repository lives. This is the folder to back up.',
  ),
  networkName: option(
    z.string().regex(/^[a-z0-9][a-z0-9-]{0,62}$/, 'must be lower-case letters, digits and hyphens'),
    'galaxy',
    "The network's name. It is part of every credential and cannot be changed later.",
  ),
  listen: option(hostPort, '127.0.0.1:8070', "Address and port of the network's web address. Port 0 takes a free one."),
  publicUrl: option(
    z.url({ protocol: /^https?$/ }).nullable(),
    null,
    "The network's address as users type it. null: http:// and the address listened on.",
  ),
  logLevel: option(
    z.enum(['silent', 'error', 'warn', 'info', 'debug']),
    'info',
    'How much is logged (to standard error).',
  ),
  'lobby.listen': option(
    multiaddrList,
    ['/ip4/0.0.0.0/tcp/4071'],
    'Where strangers with an invitation are met. Serves nothing but the joining of nodes.',
  ),
  'lobby.announce': option(
    multiaddrList,
    [],
    'Lobby addresses written into invitations instead of those listened on, behind a NAT.',
  ),
  'network.listen': option(multiaddrList, ['/ip4/0.0.0.0/tcp/4070'], 'Where members connect.'),
  'network.announce': option(multiaddrList, [], 'Addresses told to members instead of those listened on.'),
  locations: option(
    z.record(z.string(), z.string()),
    {},
    'Address range → \'LAT,LON\' of the visitors there, for example {"192.0.2.0/24": "59.86,17.64"}. Wins over the database.',
  ),
  'geo.database': option(
    z.string().nullable(),
    null,
    'A city database in MMDB format (for example DB-IP City Lite). null: only `locations` is used.',
  ),
  trustedProxies: option(
    z.array(z.string()),
    [],
    'Address ranges of reverse proxies whose X-Forwarded-For is believed.',
  ),
  allowPlainHttp: option(
    z.boolean(),
    false,
    'Whether public URLs of nodes may be plain http. On loopback they always may.',
  ),
  requireReachableUrl: option(
    z.boolean(),
    false,
    'Refuse nodes whose public URL the coordinator cannot fetch. Off: their users are served through the coordinator.',
  ),
  copies: option(
    z.number().int().min(1).max(10),
    2,
    'Verified holders in distinct failure domains before a drained node gets its receipt.',
  ),
  peersMax: option(z.number().int().min(1).max(100_000), 4096, 'Members at most.'),
  invitationDays: option(
    z.number().positive().max(365),
    7,
    'How long an invitation is valid unless it says so itself.',
  ),
  sessionDays: option(z.number().positive().max(365), 30, "How long a browser is remembered at the network's address."),
  'repository.capacityBytes': option(
    bytes.nullable(),
    null,
    'How much the main repository may hold, bytes. null: what the disk has.',
  ),
  'repository.minFreeBytes': option(
    bytes,
    512 * 2 ** 20,
    'The repository takes nothing more when the disk has less than this left, bytes.',
  ),
  'liveness.silentMs': option(milliseconds, 4000, 'A node not heard for this long gets no users, ms.'),
  'liveness.deadMs': option(
    milliseconds,
    5000,
    'A node that cannot be reached for this long may lose the homes of users who ask for them, ms.',
  ),
  'liveness.redialMs': option(milliseconds, 700, 'How long the one redial after a lost registration may take, ms.'),
  'liveness.massWindowMs': option(
    milliseconds,
    10_000,
    'When over 30 % of the nodes (and at least two) fall silent within this time, nobody is re-homed, ms.',
  ),
  'liveness.massHoldMs': option(milliseconds, 60_000, 'How long that holds after the last of them fell silent, ms.'),
  'liveness.startGraceMs': option(
    milliseconds,
    15_000,
    'After its own start the coordinator re-homes nobody for this long: nodes are coming back, ms.',
  ),
  'liveness.loopLateMs': option(
    milliseconds,
    1000,
    "When the coordinator's own timers are later than this it accuses nobody, ms.",
  ),
  'gateway.streamsPerClientMax': option(
    z.number().int().min(1).max(10_000),
    64,
    'Requests of one client address under way at the same time.',
  ),
  'gateway.streamsPerNodeMax': option(
    z.number().int().min(1).max(400),
    256,
    'Requests to one node under way at the same time.',
  ),
} as const;

export type CoordinatorOptions = OptionValues<typeof COORDINATOR_OPTIONS>;

export const COORDINATOR_ENVIRONMENT_PREFIX = 'GALAXY_COORDINATOR_';
