import { describe, expect, it } from 'vitest';
import { Heads } from '../../../coordinator/heads.js';
import { describeWaiting } from '../../../node/accounts/waiting.js';
import { WrittenHeads } from '../../../node/peers/written-heads.js';
import type { AccountLog, Applied } from '../../../protocol/log/account-log.js';
import type { Entry, JsonObject } from '../../../protocol/log/entry.js';
import { segmentKeyText } from '../../../protocol/log/entry.js';
import {
  type AccountHead,
  accountHead,
  DIGEST_THINGS_MAX,
  HEAD_THINGS_MAX,
} from '../../../protocol/wire/calls/register.js';

const ACCOUNT = '00000000000000a1';
const WRITER = '00000000000000f1';
const KEY = { account: ACCOUNT, epoch: 1, writer: WRITER };
const hash = '0'.repeat(64);
const has = (seq: number) => ({ [segmentKeyText(KEY)]: { seq, hash } });
const id = (number: number) => number.toString(16).padStart(16, '0');

class Node {
  private listener: (applied: Applied) => void = () => {};
  private seq = new Map<string, number>();
  readonly heads = new WrittenHeads({
    accountLog: {
      onApplied: (listener: (applied: Applied) => void) => {
        this.listener = listener;
        return () => {};
      },
    } as Pick<AccountLog, 'onApplied'>,
    onWritten: () => {
      this.told += 1;
    },
  });
  told = 0;

  write(entries: [type: string, payload: JsonObject][], { account = ACCOUNT, epoch = 1, own = true } = {}): void {
    const made = entries.map(([type, payload]): Entry => {
      const key = `${account}/${epoch}`;
      const seq = (this.seq.get(key) ?? 0) + 1;
      this.seq.set(key, seq);
      return { account, epoch, writer: WRITER, seq, time: '0'.repeat(16), type, version: 1, payload };
    });
    this.listener({ account, entries: made, own });
  }

  take(max = 500): AccountHead[] {
    return this.heads.take(max).map((head) => accountHead.parse(head));
  }
}

async function node(): Promise<Node> {
  const made = new Node();
  await made.heads.start();
  return made;
}

const dataset = (number: number): [string, JsonObject] => ['dataset.created', { id: id(number) }];

describe('what waits at a dead node', () => {
  it('is counted in things and not in entries, each once, and only what is missing elsewhere', async () => {
    const heads = new Heads();
    const peer = await node();
    peer.write([['history.created', { id: id(1) }], dataset(2), ['dataset.updated', { id: id(2) }], dataset(3)]);
    heads.observe('freiburg', peer.take());
    peer.write([['dataset.updated', { id: id(2) }]]);
    heads.observe('freiburg', peer.take());
    const missing = heads.missing(ACCOUNT, {}).get('freiburg');
    expect(missing).toMatchObject({ changes: 3, things: { dataset: 2, history: 1 } });
    expect(missing && describeWaiting({ name: '', ...missing })).toBe('2 datasets and 1 history');
    expect(heads.missing(ACCOUNT, has(4)).get('freiburg')).toMatchObject({
      changes: 1,
      things: { dataset: 1, history: 0 },
    });
    expect(heads.missing(ACCOUNT, has(5)).size).toBe(0);
  });

  it('is nothing when what is missing is nothing that a person would miss', async () => {
    const heads = new Heads();
    const peer = await node();
    peer.write([['job.started', { id: id(1) }]]);
    heads.observe('freiburg', peer.take());
    expect(heads.missing(ACCOUNT, {}).size).toBe(0);
  });

  it('counts a thing once that two segments of a node name', async () => {
    const heads = new Heads();
    const peer = await node();
    peer.write([dataset(1)]);
    peer.write([['dataset.updated', { id: id(1) }]], { epoch: 2 });
    expect(peer.heads.take(1)).toHaveLength(1);
    heads.observe('freiburg', peer.take());
    peer.write([dataset(1)]);
    heads.observe('freiburg', peer.take());
    expect(heads.missing(ACCOUNT, {}).get('freiburg')?.changes).toBe(1);
  });

  it('is counted in entries when the node does not say what they are', () => {
    const heads = new Heads();
    heads.observe('brno', [{ ...KEY, seq: 7 }]);
    const missing = heads.missing(ACCOUNT, has(3)).get('brno');
    expect(missing?.changes).toBe(4);
    expect(missing && describeWaiting({ name: '', ...missing })).toBe('4 changes');
    expect(describeWaiting({ name: '', changes: 1, things: undefined })).toBe('1 change');
  });

  it('is told within bounds, the latest first, and the rest with the next word', async () => {
    const peer = await node();
    const many = HEAD_THINGS_MAX + 5;
    peer.write(Array.from({ length: many }, (_, index) => dataset(index)));
    const [head] = peer.take();
    expect(head?.things).toHaveLength(HEAD_THINGS_MAX);
    expect(head?.things?.at(-1)).toEqual({ kind: 'dataset', id: id(many - 1), seq: many });
    const accounts = DIGEST_THINGS_MAX / HEAD_THINGS_MAX + 1;
    for (let account = 0; account < accounts; account++) {
      const entries = Array.from({ length: HEAD_THINGS_MAX }, (_, index) => dataset(index));
      peer.write(entries, { account: id(account) });
    }
    expect(peer.take()).toHaveLength(accounts - 1);
    expect(peer.take()).toHaveLength(1);
    expect(peer.take()).toEqual([]);
  });

  it('is not what came from others', async () => {
    const peer = await node();
    peer.write([dataset(1)], { own: false });
    expect(peer.take()).toEqual([]);
  });
});
