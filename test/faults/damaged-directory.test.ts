import { cpSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { useCluster } from '../e2e/cluster.ts';
import { waitUntil } from '../e2e/wait-until.ts';
import { SHORT_LOG } from './kill-loop.ts';
import { Load } from './load.ts';

// What may have happened to the files of a node that is down: it refuses to start, says what is damaged and what to do,
// and leaves the files as they are.

const cluster = useCluster();
/** Of node 3: as it was left last, and from before. */
const whole = cluster.scratch('whole');
const older = cluster.scratch('older');

const REBUILD = /remove this node from the cluster, empty its data directory and add it again/;

beforeAll(async () => {
  for (const id of [1, 2, 3]) await cluster.add(id, ...SHORT_LOG);
  await cluster.form(3);
  await cluster.stop(3);
  cpSync(dataDir(), older, { recursive: true });
  await cluster.start(3);
  for (let number = 0; number < 100; number += 1) await cluster.write(1, `key/${number % 10}`, `${number}`);
  await cluster.converged();
  expect((await cluster.post(3, '/snapshot', null)).status).toBe(200);
  await cluster.stop(3);
  cpSync(dataDir(), whole, { recursive: true });
});

function dataDir(): string {
  return cluster.node(3).dataDir;
}

function path(name: string): string {
  return join(dataDir(), name);
}

/** The file that is the state: it gets another name with each snapshot that is installed. */
function stateName(): string {
  return readdirSync(whole).find((name) => /^state.*\.db$/.test(name)) ?? 'state.db';
}

function flip(file: string, offset: number): void {
  const bytes = readFileSync(file);
  bytes[offset] = (bytes[offset] ?? 0) ^ 0x10;
  writeFileSync(file, bytes);
}

function cutInHalf(file: string): void {
  truncateSync(file, readFileSync(file).length / 2);
}

function restore(from: string, ...names: readonly string[]): void {
  rmSync(dataDir(), { recursive: true });
  cpSync(whole, dataDir(), { recursive: true });
  for (const name of names) cpSync(join(from, name), path(name));
}

/** Where SQLite keeps the number of a file's format. */
const FORMAT_OFFSET = 60;
const PAGE_BYTES = 4096;

interface Damage {
  readonly what: string;
  readonly file: 'log' | 'state';
  readonly make: (file: string) => void;
  readonly message: readonly RegExp[];
}

const DAMAGES: readonly Damage[] = [
  {
    what: 'a flipped bit',
    file: 'log',
    make: (file) => flip(file, PAGE_BYTES),
    message: [/damaged/, REBUILD],
  },
  { what: 'half of it', file: 'log', make: cutInHalf, message: [/damaged/, REBUILD] },
  {
    what: 'something else',
    file: 'log',
    make: (file) => writeFileSync(file, 'x'.repeat(20_000)),
    message: [/not a database/, REBUILD],
  },
  {
    what: 'an older one',
    file: 'log',
    make: () => restore(older, 'log.db'),
    message: [/log\.db was lost, replaced or cut off|log\.db was lost or replaced/, REBUILD],
  },
  {
    what: 'one of a newer release',
    file: 'log',
    make: (file) => flip(file, FORMAT_OFFSET),
    message: [/this release reads formats up to \d+: run a newer release/],
  },
  {
    what: 'half of it',
    file: 'state',
    make: cutInHalf,
    message: [/damaged/, REBUILD, /or remove \S+ and/],
  },
  {
    what: 'one of a newer release',
    file: 'state',
    make: (file) => flip(file, FORMAT_OFFSET),
    message: [/this release reads formats up to \d+: run a newer release/],
  },
];

async function expectRefusal(...messages: readonly RegExp[]): Promise<void> {
  const process = cluster.launch(3);
  expect(await waitUntil(() => process.exit, 'node 3 to end'), process.log).toEqual({
    code: 1,
    signal: null,
  });
  for (const message of messages) expect(process.log).toMatch(message);
  expect(process.log, 'no stack trace').not.toMatch(/^\s+at .*:\d+:\d+\)?$/m);
}

describe('a data directory is refused', () => {
  test.for(DAMAGES)('with $what as its $file', async ({ file, make, message }) => {
    restore(whole);
    const name = file === 'log' ? 'log.db' : stateName();
    make(path(name));
    const before = readFileSync(path(name));
    await expectRefusal(new RegExp(`"fatal".*${dataDir()}`), ...message);
    expect(readFileSync(path(name)).equals(before), 'the file stays as it was').toBe(true);
  });

  test('without its log.db', async () => {
    restore(whole);
    rmSync(path('log.db'));
    await expectRefusal(/"fatal".*log\.db.* lost/, REBUILD);
  });

  test('and whole again it is taken', async () => {
    restore(whole);
    await cluster.start(3);
    expect(await cluster.read(3, 'key/9')).toBe('99');
    await cluster.stop(3);
  });
});

describe('what the message advises', () => {
  test('a damaged state is made again from the rest of the directory', async () => {
    cutInHalf(path(stateName()));
    await expectRefusal(/"fatal".*or remove \S+\.db and \S+\.db-wal and start again/);
    rmSync(path(stateName()));
    rmSync(path(`${stateName()}-wal`), { force: true });
    await cluster.start(3);
    expect(await cluster.read(3, 'key/9')).toBe('99');
    await cluster.stop(3);
  });

  test('a node whose log is damaged is rebuilt from the others while clients go on', async () => {
    const load = await Load.start(cluster, 'rebuilt');
    await load.goesOn();
    flip(path('log.db'), PAGE_BYTES);
    await expectRefusal(REBUILD);

    expect(await cluster.changeMembership(1, [1, 2])).toHaveProperty('Ok');
    rmSync(dataDir(), { recursive: true });
    cluster.launch(3, '--standby');
    await cluster.listening(3);
    expect(await cluster.addLearner(1, 3)).toHaveProperty('Ok');
    expect(await cluster.changeMembership(1, [1, 2, 3])).toHaveProperty('Ok');
    await cluster.ready(3);
    await waitUntil(() => cluster.process(3).log.includes('installed a snapshot'), 'the log of the install');
    await load.goesOn();
    expect(await load.problems()).toEqual([]);
    expect(await cluster.read(3, 'key/9')).toBe('99');
  });
});
