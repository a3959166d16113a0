import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { greatCircleKm, nearest, type RoutingNode } from '../../../coordinator/routing.js';

const UPPSALA = { lat: 59.86, lon: 17.64 };
const FREIBURG = { lat: 47.99, lon: 7.85 };
const MELBOURNE = { lat: -37.81, lon: 144.96 };
const STOCKHOLM = { lat: 59.33, lon: 18.07 };

function node(name: string, change: Partial<RoutingNode> = {}): RoutingNode {
  return {
    peerId: name,
    name,
    state: 'serving',
    routable: true,
    slots: 4,
    queued: 0,
    running: 0,
    assigned: 0,
    ...change,
  };
}

const three = () => [
  node('uppsala', { location: UPPSALA }),
  node('freiburg', { location: FREIBURG }),
  node('melbourne', { location: MELBOURNE }),
];

const anyNode = fc.record({
  peerId: fc.string({ minLength: 1, maxLength: 4 }),
  state: fc.constantFrom('joined', 'joining', 'serving', 'draining', 'drained', 'revoked'),
  routable: fc.boolean(),
  location: fc.option(
    fc.record({
      lat: fc.double({ min: -90, max: 90, noNaN: true }),
      lon: fc.double({ min: -180, max: 180, noNaN: true }),
    }),
    { nil: undefined },
  ),
  slots: fc.nat(64),
  queued: fc.nat(10_000),
  running: fc.nat(64),
  assigned: fc.nat(1000),
});
const anyNodes = fc
  .uniqueArray(anyNode, { selector: ({ peerId }) => peerId, maxLength: 12 })
  .map((list) =>
    list.map(
      ({ location, ...rest }) => ({ ...rest, name: rest.peerId, ...(location ? { location } : {}) }) as RoutingNode,
    ),
  );

describe('the nearest node', () => {
  it('measures great circles', () => {
    expect(greatCircleKm(UPPSALA, MELBOURNE)).toBeGreaterThan(15_000);
    expect(greatCircleKm(UPPSALA, MELBOURNE)).toBeLessThan(16_000);
    expect(greatCircleKm(UPPSALA, UPPSALA)).toBe(0);
  });

  it('is the nearest one that serves, and the reasons name those that do not', () => {
    const route = nearest({ client: STOCKHOLM }, three());
    expect(route.node).toBe('uppsala');
    expect(route.reasons[0]).toMatch(/^uppsala: about 3 ms away \(6\d km\)/);
    const without = [node('uppsala', { location: UPPSALA, state: 'draining' }), ...three().slice(1)];
    const other = nearest({ client: STOCKHOLM }, without);
    expect(other.node).toBe('freiburg');
    expect(other.reasons).toContain('uppsala: it is draining');
  });

  it('is the home before all others, while it serves and is not overloaded', () => {
    expect(nearest({ client: STOCKHOLM, home: 'melbourne' }, three()).node).toBe('melbourne');
    const dead = [...three().slice(0, 2), node('melbourne', { routable: false })];
    expect(nearest({ client: STOCKHOLM, home: 'melbourne' }, dead).node).toBe('uppsala');
    const full = [...three().slice(0, 2), node('melbourne', { queued: 1000 })];
    const route = nearest({ client: STOCKHOLM, home: 'melbourne' }, full);
    expect(route.node).toBe('uppsala');
    expect(route.reasons).toContain('melbourne: the home, and overloaded');
  });

  it('does not send everybody to one neighbour when many are sent at once', () => {
    const nodes = three().slice(0, 2);
    const got = new Map<string, number>();
    for (let user = 0; user < 200; user++) {
      const chosen = nearest({ client: STOCKHOLM }, nodes).node as string;
      got.set(chosen, (got.get(chosen) ?? 0) + 1);
      const at = nodes.findIndex(({ peerId }) => peerId === chosen);
      nodes[at] = { ...(nodes[at] as RoutingNode), assigned: (nodes[at] as RoutingNode).assigned + 1 };
    }
    expect(got.get('uppsala')).toBeGreaterThan(got.get('freiburg') ?? 0);
    expect(got.get('freiburg')).toBeGreaterThan(80);
  });

  it('goes by load alone when the place of the visitor is unknown', () => {
    const nodes = [node('a', { queued: 5, location: UPPSALA }), node('b', { queued: 1, location: MELBOURNE })];
    expect(nearest({}, nodes).node).toBe('b');
  });

  it('prefers who has the log already, and a measured round trip over a guessed one', () => {
    const nodes = [node('a', { location: UPPSALA, hasLog: false }), node('b', { location: FREIBURG, hasLog: true })];
    expect(nearest({ client: STOCKHOLM }, nodes).node).toBe('b');
    const measured = [node('a', { location: UPPSALA, measuredRttMs: 90 }), node('b', { location: FREIBURG })];
    expect(nearest({ client: STOCKHOLM }, measured).node).toBe('b');
  });

  it('takes the least bad one when all are overloaded, and none when none serves', () => {
    const full = three().map((one, index) => ({ ...one, queued: 1000 + index }));
    const route = nearest({}, full);
    expect(route.node).toBe('uppsala');
    expect(route.reasons).toContain('every node is overloaded');
    expect(nearest({}, [])).toMatchObject({ node: undefined, reasons: ['no node serves'] });
  });

  it('never is a draining, unroutable or excluded node, and is the same in any order', () => {
    fc.assert(
      fc.property(anyNodes, fc.nat(11), fc.integer(), (nodes, which, seed) => {
        const exclude = nodes.slice(which, which + 1).map(({ peerId }) => peerId);
        const route = nearest({ client: STOCKHOLM, exclude }, nodes);
        const chosen = nodes.find(({ peerId }) => peerId === route.node);
        const usable = nodes.filter((one) => one.state === 'serving' && one.routable && !exclude.includes(one.peerId));
        expect(chosen === undefined).toBe(usable.length === 0);
        if (chosen) expect(usable).toContain(chosen);
        expect(route.reasons.length).toBeGreaterThan(0);
        const at = nodes.length === 0 ? 0 : Math.abs(seed) % nodes.length;
        const shuffled = [...nodes.slice(at), ...nodes.slice(0, at)].reverse();
        expect(nearest({ client: STOCKHOLM, exclude }, shuffled).node).toBe(route.node);
      }),
    );
  });
});
