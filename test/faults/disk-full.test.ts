import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { useCluster } from '../e2e/cluster.ts';
import { waitUntil } from '../e2e/wait-until.ts';
import { agreedContent } from './agreement.ts';
import { Load } from './load.ts';
import { SmallDisk, whyNoSmallDisk } from './tmpfs.ts';

// Node 1 of three has a disk that is too small for what is written.

const VALUE = 'x'.repeat(128 * 1024);
const folder = mkdtempSync(join(tmpdir(), 'metad-mount-'));
const missing = whyNoSmallDisk(folder);
rmdirSync(folder);
if (missing) console.warn(`skips the tests of a full disk: ${missing}`);

const cluster = useCluster();
let disk: SmallDisk | null = null;

// Runs before the hook of `useCluster`, which removes the folder: of such hooks the last comes first.
afterAll(async () => {
  if (disk === null) return;
  await cluster.kill9(...cluster.runningIds);
  disk.unmount();
});

beforeAll(async () => {
  if (missing) return;
  disk = new SmallDisk((await cluster.add(1)).dataDir, '10m');
  await cluster.form(3);
});

/** Writes through the others until node 1 has ended. */
async function fill(): Promise<void> {
  for (let number = 0; cluster.process(1).exit === null; number += 2) {
    if (number > 1000) throw new Error('the disk is too large');
    const writes = [2, 3].map((id) => cluster.write(id, `fill/${number + id}`, VALUE));
    // Those that are under way when node 1 ends may have an unknown outcome.
    await Promise.allSettled(writes);
  }
}

test.skipIf(missing)(
  'a leader whose disk is full ends and names the disk; the others go on, and with room it catches up',
  async () => {
    await waitUntil(async () => {
      await cluster.post(1, '/transfer-leader', 1);
      return (await cluster.leader()) === 1;
    }, 'node 1 to lead');
    const load = await Load.start(cluster, 'load');
    await fill();
    expect(cluster.process(1).exit).toEqual({ code: 1, signal: null });
    const { dataDir } = cluster.node(1);
    expect(cluster.process(1).log).toMatch(
      new RegExp(`"fatal".*${dataDir}/\\S+: .*; make room on this disk"`),
    );
    await load.goesOn();

    disk?.resize('256m');
    await cluster.start(1);
    await load.goesOn();
    expect(await load.problems()).toEqual([]);
    expect((await agreedContent(cluster)).get('fill/2')).toBe(VALUE);
  },
);

test.skipIf(missing)('a disk that a killed test has left behind goes with the next one', () => {
  const left = mkdtempSync(join(tmpdir(), 'metad-left-'));
  const { pid } = spawnSync('true');
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', `metad-test-${pid}`, left]);
  const own = cluster.scratch('own');
  new SmallDisk(own, '1m').unmount();
  expect(readFileSync('/proc/self/mounts', 'utf8')).not.toContain(left);
  rmdirSync(left);
});
