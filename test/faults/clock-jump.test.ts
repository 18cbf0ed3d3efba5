import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, expect, test } from 'vitest';
import { useCluster } from '../e2e/cluster.ts';
import { send } from '../e2e/http.ts';
import { waitUntil } from '../e2e/wait-until.ts';
import { READER_IP } from './endpoint.ts';
import { SHORT_LOG } from './kill-loop.ts';
import { Load } from './load.ts';
import { compilePreload } from './preload.ts';

// Somebody sets the time on some of the machines, by hours, again and again.

const preload = compilePreload('jumping-clock');
const missing = 'missing' in preload ? preload.missing : null;
if (missing) console.warn(`skips the tests of clocks that jump: ${missing}`);

const HOUR_S = 3_600;
const WAIT_S = 1;
const cluster = useCluster();
const clocks = cluster.scratch('clocks');

beforeAll(async () => {
  if ('missing' in preload) return;
  for (const id of [1, 2, 3]) {
    // A busy machine may stall a leader for a second, and nobody can tell that from a storm of elections.
    await cluster.add(id, '--election_timeout', '4s', ...SHORT_LOG);
    cluster.setEnvironment(id, { LD_PRELOAD: preload.library, FAULT_CLOCK: join(clocks, `${id}`) });
    setClock(id, 0);
  }
  await cluster.form(3);
});

/** Makes a node's wall clock wrong by that much, from now on. */
function setClock(id: number, hours: number): void {
  writeFileSync(join(clocks, `${id}`), `${hours * HOUR_S}`);
}

/** By how many hours a node's clock is wrong, by what it says itself. */
async function shownHours(id: number): Promise<number> {
  const { headers } = await send({ port: cluster.node(id).ports.manage, path: '/health' });
  return Math.round((Date.parse(headers.date ?? '') - Date.now()) / (HOUR_S * 1000));
}

test.skipIf(missing)('clocks that jump by hours change no term, no answer and no wait', async () => {
  const load = await Load.start(cluster, 'clock');
  await load.goesOn();
  const leader = await cluster.leader();
  const followers = cluster.ids.filter((id) => id !== leader);
  const { current_term } = (await cluster.metrics(leader)).Ok;
  for (const [ofLeader, ofFollowers] of [
    [5, 0],
    [5, -7],
    [-100, 100],
    [0, 0],
  ] as const) {
    const started = performance.now();
    const waiting = cluster.metadata(leader, `/nothing?wait=true&timeout=${WAIT_S}`, READER_IP);
    setClock(leader, ofLeader);
    for (const id of followers) setClock(id, ofFollowers);
    await waitUntil(async () => (await shownHours(leader)) === ofLeader, 'the new time in an answer');
    await load.goesOn();
    await waiting;
    expect(performance.now() - started, 'no wait ends early').toBeGreaterThanOrEqual(WAIT_S * 1000 - 50);
  }
  expect((await cluster.metrics(leader)).Ok.current_term, 'no election').toBe(current_term);
  expect(await load.problems()).toEqual([]);
});
