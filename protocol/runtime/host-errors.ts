/** What can go wrong between this process and its peers before a word was said. Any `Host` throws these. */
import { defineErrors } from './errors.js';

export const hostErrors = defineErrors('host', {
  unreachable: {
    kind: 'unavailable',
    say: 'The peer {peer} cannot be reached: {reason}.',
    mend: 'It is tried again by itself. Check that the peer runs and that a firewall lets this node out.',
  },
  refused: {
    kind: 'forbidden',
    say: 'The peer {peer} does not admit this node.',
    mend: 'A node that has just joined waits some seconds until all peers know it; a revoked one must join anew.',
  },
  'not-admitted': {
    kind: 'forbidden',
    say: 'The peer {peer} is not a member of this network.',
    mend: 'It must join with an invitation first.',
  },
  'bad-address': {
    kind: 'bad-request',
    say: '"{address}" is not an address of the peer {peer}.',
    mend: 'An address looks like /ip4/192.0.2.1/tcp/4001, with or without /p2p/ and the PeerId.',
  },
  'not-connected': { kind: 'unavailable', say: 'There is no connection to the peer {peer}.', mend: 'Connect first.' },
  'not-supported': {
    kind: 'unavailable',
    say: 'The peer {peer} does not speak {protocol}.',
    mend: 'It runs another version, or this is not the part of it that serves this.',
  },
  'stream-failed': {
    kind: 'unavailable',
    say: 'No {protocol} stream to {peer} could be opened: {reason}.',
    mend: 'It is tried again by itself.',
  },
  'no-dht': { kind: 'internal', say: 'This host has no DHT.', mend: 'Use the host that members connect to.' },
  'cannot-listen': {
    kind: 'conflict',
    say: 'The network addresses {addresses} cannot be listened on: {reason}.',
    mend: 'Check the option in which it stands: network.listen, or lobby.listen of a coordinator.',
  },
  'port-taken': {
    kind: 'conflict',
    say: 'The network address {addresses} is in use already.',
    mend: 'Stop the program that uses it, or put another port into the option in which it stands: network.listen, or lobby.listen of a coordinator (port 0 takes a free one).',
  },
  stopped: { kind: 'unavailable', say: 'This host is not running.', mend: 'Start it first.' },
});
