import { createHash } from 'node:crypto';
import { cpSync, readdirSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { damagedAt } from '../../../protocol/runtime/leveldb-log.js';
import { tableDamagedAt, tablesInForce } from '../../../protocol/runtime/leveldb-table.js';
import { openStore } from '../../../protocol/runtime/store.js';
import { findDamage } from '../../../protocol/runtime/store-check.js';
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

describe('the tables of a store after a crash', () => {
  const folder = join(scratch.path, 'tables');
  let name: string;
  let table: Buffer;

  /** Each opening puts what the log holds into a table; the last one is left as a crash leaves it. */
  beforeAll(async () => {
    const live = join(scratch.path, 'tables-live');
    for (let round = 0; round < 2; round++) {
      const store = await openStore(live);
      for (let index = 0; index < 400; index++) {
        // Some compress well, some not at all.
        const random = Buffer.from(sha512Chain(`${round}/${index}`));
        const value = index % 2 === 0 ? random : Buffer.alloc(300, index);
        await store.commit([{ ns: 'n', key: `${index}`, value }]);
      }
      await store.close();
    }
    const store = await openStore(live);
    cpSync(live, folder, { recursive: true });
    await store.close();
    name = tables(folder).at(-1) as string;
    table = readFileSync(join(folder, name));
  });

  const tables = (of: string) =>
    readdirSync(of)
      .filter((file) => file.endsWith('.ldb'))
      .sort();
  const manifestOf = (of: string) => readFileSync(join(of, readFileSync(join(of, 'CURRENT'), 'utf8').trim()));

  it('are found whole, all of them, with what the manifest says of them', () => {
    expect(findDamage(folder)).toBeUndefined();
    expect(tables(folder).length).toBeGreaterThan(1);
    const numbers = [...(tablesInForce(manifestOf(folder)) ?? [])];
    const found = tables(folder).map((file) => [Number.parseInt(file, 10), statSync(join(folder, file)).size]);
    expect(numbers.sort()).toEqual(found.sort());
  });

  it('may have no byte changed, anywhere', () => {
    expect(table.length).toBeGreaterThan(100_000);
    fc.assert(
      fc.property(fc.integer({ min: 0, max: table.length - 1 }), fc.integer({ min: 1, max: 255 }), (at, mask) => {
        const changed = Buffer.from(table);
        changed[at] = (changed[at] as number) ^ mask;
        expect(tableDamagedAt(changed)).toBeLessThanOrEqual(at + 48);
      }),
      { numRuns: 300 },
    );
  });

  it('may have no bit of the footer changed, which tells where everything else is', () => {
    for (let at = table.length - 48; at < table.length; at++) {
      for (let bit = 0; bit < 8; bit++) {
        const changed = Buffer.from(table);
        changed[at] = (changed[at] as number) ^ (1 << bit);
        expect(tableDamagedAt(changed)).toBeLessThanOrEqual(at);
      }
    }
  });

  it('may not be cut, and what is no table at all is none', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: table.length - 1 }), (end) => {
        expect(tableDamagedAt(table.subarray(0, end))).toBeDefined();
      }),
      { numRuns: 50 },
    );
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        expect(tableDamagedAt(bytes)).toBeDefined();
      }),
    );
  });

  it('that are damaged, missing or cut are named, and the store is not opened', async () => {
    const changed = copyOf(folder);
    const bytes = Buffer.from(table);
    bytes[5000] = (bytes[5000] as number) ^ 1;
    writeFileSync(join(changed, name), bytes);
    await expect(openStore(changed)).rejects.toMatchObject({
      code: 'store/corrupt',
      message: expect.stringMatching(new RegExp(`the file ${name} is damaged at byte \\d+\\.$`)),
    });
    expect(readFileSync(join(changed, name))).toEqual(bytes);
    const missing = copyOf(folder);
    rmSync(join(missing, name));
    expect(findDamage(missing)).toBe(`the table ${Number.parseInt(name, 10)} is missing`);
    const cut = copyOf(folder);
    truncateSync(join(cut, name), table.length - 1);
    expect(findDamage(cut)).toContain(`the file ${name} has ${table.length - 1} bytes`);
  });

  it('that an interrupted compaction left do not matter', () => {
    const copy = copyOf(folder);
    writeFileSync(join(copy, '000999.ldb'), table.subarray(0, 1000));
    expect(findDamage(copy)).toBeUndefined();
  });

  it('that become unreadable under a running store give an error that names the file, each time, and the rest is read', async () => {
    const copy = copyOf(folder);
    const store = await openStore(copy);
    for (const file of tables(copy)) {
      const bytes = readFileSync(join(copy, file));
      // Over the file itself, not in its place: the store has it open.
      bytes.fill(0xff, 1000, bytes.length - 2000);
      writeFileSync(join(copy, file), bytes);
    }
    await store.commit([{ ns: 'n', key: 'new', value: 'read' }]);
    const all = async () => {
      for await (const _ of store.iterate('n'));
    };
    for (let times = 0; times < 2; times++) {
      await expect(all()).rejects.toMatchObject({
        code: 'store/damaged',
        message: expect.stringMatching(/the file \d+\.ldb is damaged at byte \d+\.$/),
        mend: expect.stringContaining('restore the folder from a backup'),
      });
    }
    expect(Buffer.from((await store.get('n', 'new')) ?? []).toString()).toBe('read');
    await store.close();
  });
});

/** Bytes that nothing compresses. */
function sha512Chain(seed: string): Uint8Array {
  const parts: Buffer[] = [];
  for (let count = 0; count < 10; count++) parts.push(createHash('sha512').update(`${seed}/${count}`).digest());
  return Buffer.concat(parts);
}
