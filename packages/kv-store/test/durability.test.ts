import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { openForWriting } from '../src/database.ts';
import { LOG_CONNECTION, LOG_FORMAT } from '../src/log-schema.ts';
import { STATE_CONNECTION, STATE_FORMAT } from '../src/state-schema.ts';
import { Store } from '../src/store.ts';
import { childScript, compactingScript, movingScript } from './child.ts';
import { temporaryDirectory } from './fixtures.ts';

test.each([
  ['log.db', LOG_FORMAT, LOG_CONNECTION, 'UPDATE hard_state SET term = 1'],
  ['state.db', STATE_FORMAT, STATE_CONNECTION, 'UPDATE state SET version = 1'],
] as const)('%s keeps its sync mode after the first write', (name, format, connection, sql) => {
  const db = openForWriting(join(temporaryDirectory(), name), format, connection);
  onTestFinished(() => void db.close());
  // Some builds of SQLite report FULL at first, and fall back to NORMAL with the first write in WAL mode.
  db.exec(sql);
  const normal = 1;
  expect(db.pragma('synchronous', { simple: true })).toBe(normal);
  expect(db.pragma('journal_mode', { simple: true })).toBe('wal');
});

const canTrace = spawnSync('strace', ['-o', '/dev/null', 'true']).status === 0;

/** How often a process that writes such batches asks the kernel for a sync. */
function countSyncs(batches: number, size: number, mode = 'synced'): number {
  const directory = temporaryDirectory();
  const trace = join(directory, 'trace');
  const node = [process.execPath, '--input-type=module', '-e', childScript];
  const traced = ['-f', '-qq', '-e', 'trace=fsync,fdatasync', '-o', trace, ...node];
  const child = spawnSync('strace', [...traced, join(directory, 'data'), `${batches}`, `${size}`, mode]);
  expect(child.stderr.toString()).toBe('');
  expect(child.status).toBe(0);
  return readFileSync(trace, 'utf8').match(/\b(fsync|fdatasync)\(/g)?.length ?? 0;
}

test.skipIf(!canTrace)('a synced batch costs a sync, whatever its size; a commit index costs none', () => {
  const idle = countSyncs(0, 0);
  const single = countSyncs(30, 1) - idle;
  const large = countSyncs(1, 100) - idle;
  const unsynced = countSyncs(30, 0, 'unsynced') - idle;
  expect(single).toBeGreaterThanOrEqual(30);
  expect(single).toBeLessThanOrEqual(40);
  expect(large).toBeGreaterThanOrEqual(1);
  expect(large).toBeLessThanOrEqual(10);
  expect(unsynced).toBeLessThanOrEqual(10);
});

test.skipIf(!canTrace)('what a killed process may have left unsynced is synced before it is read', () => {
  const directory = temporaryDirectory();
  const data = join(directory, 'data');
  const trace = join(directory, 'trace');
  const script = (lines: string) => [
    process.execPath,
    '--input-type=module',
    '-e',
    `import { Store } from '${new URL('../dist/index.js', import.meta.url).href}';
     const store = Store.open('${data}'); ${lines}; process.kill(process.pid, 'SIGKILL');`,
  ];
  const entry = '{ term: 1, leader: 1, index: 1, payload: { type: "blank" } }';
  const batch = `{ entries: [${entry}], hardState: { term: 1, votedFor: null, committed: 0 }, sync: true }`;
  spawnSync(process.execPath, script(`store.log.append(${batch})`).slice(1));
  const traced = ['-f', '-qq', '-y', '-e', 'trace=fsync,fdatasync', '-o', trace];
  spawnSync('strace', [...traced, ...script('')]);
  expect(readFileSync(trace, 'utf8')).toMatch(/fdatasync\(\d+<[^>]*log\.db-wal>/);
  const store = Store.open(data);
  onTestFinished(() => store.close());
  expect(store.log.lastLog.index).toBe(1);
});

/** The files that such a process syncs, in order, without their directory. */
function tracedSyncs(mode: 'compacting' | 'plain'): string[] {
  const directory = temporaryDirectory();
  const trace = join(directory, 'trace');
  const node = [
    process.execPath,
    '--input-type=module',
    '-e',
    compactingScript,
    join(directory, 'data'),
    mode,
  ];
  const traced = ['-f', '-qq', '-y', '-e', 'trace=fsync,fdatasync', '-o', trace];
  const child = spawnSync('strace', [...traced, ...node]);
  expect(child.stderr.toString()).toBe('');
  const calls = readFileSync(trace, 'utf8').matchAll(/\b(?:fsync|fdatasync)\(\d+<([^>]*)>/g);
  return [...calls].map(([, file]) => basename(file ?? ''));
}

test.skipIf(!canTrace)(
  'a compaction syncs the state once, and the batches behind it are synced as ever',
  () => {
    const count = (syncs: readonly string[], name: string) => syncs.filter((file) => file === name).length;
    const plain = tracedSyncs('plain');
    const compacting = tracedSyncs('compacting');
    expect(count(plain, 'log.db-wal')).toBeGreaterThanOrEqual(40);
    expect(count(compacting, 'log.db-wal'), 'compacting and purging cost no sync').toBe(
      count(plain, 'log.db-wal'),
    );
    expect(count(compacting, 'state.db-wal') - count(plain, 'state.db-wal')).toBe(1);
  },
);

test.each(['log', 'state'])('a checkpoint of the %s that fails is a fault as well', (moved) => {
  const limited = `trap '' XFSZ; ulimit -f 1000; exec "$@"`;
  const node = [process.execPath, '--input-type=module', '-e', movingScript, temporaryDirectory(), moved];
  const child = spawnSync('sh', ['-c', limited, 'sh', ...node]);
  expect(child.status).toBe(3);
  expect(child.stdout.toString().trim().split('\n')).toEqual([
    'checkpoint StoreError io',
    'write StoreError io',
  ]);
});

test('a full disk is a fault: it is said once and for all, and nothing acknowledged is lost', () => {
  const directory = temporaryDirectory();
  const limited = `trap '' XFSZ; ulimit -f 500; exec "$@"`;
  const node = [process.execPath, '--input-type=module', '-e', childScript, directory, '100000', '5'];
  const child = spawnSync('sh', ['-c', limited, 'sh', ...node]);
  const lines = child.stdout.toString().trim().split('\n');
  expect(child.status).toBe(3);
  expect(lines.slice(-2)).toEqual(['StoreError io', 'true']);
  const store = Store.open(directory);
  onTestFinished(() => store.close());
  const acknowledged = Number(lines.at(-3));
  expect(acknowledged).toBeGreaterThan(0);
  expect(store.log.lastLog.index).toBeGreaterThanOrEqual(acknowledged);
  expect(store.state.applied.index).toBeLessThanOrEqual(store.log.lastLog.index);
});
