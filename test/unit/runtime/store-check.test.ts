import { cpSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openStore } from '../../../protocol/runtime/store.js';
import { damagedAt, findDamage } from '../../../protocol/runtime/store-check.js';
import { scratchFolder } from '../../support/processes.js';

const scratch = scratchFolder();
const closed = join(scratch.path, 'closed');
const crashed = join(scratch.path, 'crashed');
let log: Buffer;
let lastRecordAt: number;

/** A store as an orderly end leaves it, and the same as a crash would have left it a moment earlier. */
beforeAll(async () => {
  const store = await openStore(closed);
  const sizes: number[] = [];
  for (let index = 0; index < 60; index++) {
    sizes.push(readFileSync(onlyLog(closed)).length);
    await store.commit([{ ns: 'n', key: String(index), value: Buffer.alloc(50 + index * 40, index) }]);
  }
  lastRecordAt = sizes.at(-1) as number;
  cpSync(closed, crashed, { recursive: true });
  await store.close();
  log = readFileSync(onlyLog(crashed));
});
afterAll(() => scratch.remove());

function onlyLog(folder: string): string {
  return join(folder, readdirSync(folder).find((name) => name.endsWith('.log')) as string);
}

function copyOf(folder: string): string {
  const copy = join(scratch.path, `copy-${readdirSync(scratch.path).length}`);
  cpSync(folder, copy, { recursive: true });
  return copy;
}

describe('a store before it is opened', () => {
  it('is found whole as it was closed, and as a crash left it', () => {
    expect(log.length).toBeGreaterThan(2 * 32 * 1024);
    expect(findDamage(closed)).toBeUndefined();
    expect(findDamage(crashed)).toBeUndefined();
    expect(findDamage(join(scratch.path, 'nothing'))).toBeUndefined();
    expect(findDamage(join(scratch.path, 'nothing'), { mustExist: true })).toBe('its files are missing');
  });

  it('after a crash may end anywhere in a record', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: log.length }), (end) => {
        expect(damagedAt(log.subarray(0, end))).toBeUndefined();
      }),
    );
  });

  it('after a crash may have nothing changed before its last record', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: lastRecordAt - 1 }), fc.integer({ min: 1, max: 255 }), (at, mask) => {
        const changed = Buffer.from(log);
        changed[at] = (changed[at] as number) ^ mask;
        // Zeros that fill the end of a block belong to no record.
        if (log.subarray(at - (at % 32_768), at + 1).length > 32_761 && log[at] === 0) return;
        expect(damagedAt(changed)).toBeLessThanOrEqual(at);
      }),
    );
  });

  it('that was closed in order may not be shorter, other or incomplete, and says which file is', async () => {
    const name = (path: string) => path.split('/').at(-1) as string;
    const shorter = copyOf(closed);
    truncateSync(onlyLog(shorter), lastRecordAt);
    const other = copyOf(closed);
    const content = readFileSync(onlyLog(other));
    content[content.length - 1] = (content.at(-1) as number) ^ 1;
    writeFileSync(onlyLog(other), content);
    const incomplete = copyOf(closed);
    rmSync(onlyLog(incomplete));
    for (const folder of [shorter, other, incomplete]) {
      const files = readdirSync(folder).map((file) => [file, readFileSync(join(folder, file), 'latin1')]);
      await expect(openStore(folder)).rejects.toMatchObject({ code: 'store/corrupt' });
      expect(readdirSync(folder).map((file) => [file, readFileSync(join(folder, file), 'latin1')])).toEqual(files);
    }
    expect(findDamage(shorter)).toContain(name(onlyLog(closed)));
    expect(findDamage(other)).toContain(`${name(onlyLog(closed))} has changed`);
    expect(findDamage(incomplete)).toBe('its log file is missing');
  });

  it('is written to only without a seal, and sealed anew', async () => {
    const folder = copyOf(closed);
    const store = await openStore(folder);
    expect(readdirSync(folder)).not.toContain('SEAL');
    await store.commit([{ ns: 'n', key: 'more', value: 'm' }]);
    await store.close();
    expect(readdirSync(folder)).toContain('SEAL');
    expect(findDamage(folder)).toBeUndefined();
    const again = await openStore(folder);
    expect(Buffer.from((await again.get('n', '59')) as Uint8Array).length).toBe(50 + 59 * 40);
    await again.close();
  });
});
