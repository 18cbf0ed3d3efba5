import { rmSync, writeFileSync } from 'node:fs';
import { constants } from 'node:os';
import { join } from 'node:path';
import { beforeAll, expect, test } from 'vitest';
import { useCluster } from '../e2e/cluster.ts';
import { waitUntil } from '../e2e/wait-until.ts';
import { SHORT_LOG } from './kill-loop.ts';
import { Load } from './load.ts';
import { compilePreload } from './preload.ts';

// The disk of the leader fails under load: in a sync of the log, in a write and in a sync of the state, or it hangs.

const preload = compilePreload('failing-disk');
const missing = 'missing' in preload ? preload.missing : null;
if (missing) console.warn(`skips the tests of a failing disk: ${missing}`);

const cluster = useCluster();
const trigger = join(cluster.scratch('trigger'), 'fault');

beforeAll(async () => {
  if ('missing' in preload) return;
  for (const id of [1, 2, 3]) {
    await cluster.add(id, ...SHORT_LOG);
    cluster.setEnvironment(id, { LD_PRELOAD: preload.library, FAULT_TRIGGER: trigger });
  }
  await cluster.form(3);
});

test.skipIf(missing).for([
  ['sync', 'log.db'],
  ['sync', 'state'],
  ['write', 'state'],
] as const)(
  'a leader whose disk fails in a %s of its %s ends with the reason; nothing it acknowledged is lost',
  async ([call, part]) => {
    const load = await Load.start(cluster, `${call}-${part}`);
    await load.goesOn();
    const failing = await cluster.leader();
    const { dataDir } = cluster.node(failing);
    writeFileSync(trigger, `${call} ${constants.errno.EIO} ${dataDir}/${part}`);
    const exit = await waitUntil(() => cluster.process(failing).exit, `node ${failing} to end`);
    expect(exit).toEqual({ code: 1, signal: null });
    expect(cluster.process(failing).log).toMatch(
      new RegExp(`"fatal".*${dataDir}/${part}.*I/O error.*; check this disk`, 'i'),
    );
    await load.goesOn();

    rmSync(trigger);
    await cluster.start(failing);
    await load.goesOn();
    expect(await load.problems()).toEqual([]);
  },
);

test.skipIf(missing)(
  'a node that cannot write a snapshot says so and goes on, as nothing depends on it',
  async () => {
    const load = await Load.start(cluster, 'snapshot');
    const failing = await cluster.leader();
    writeFileSync(trigger, `write ${constants.errno.EIO} ${cluster.node(failing).dataDir}/snapshots/`);
    const refused = await cluster.post(failing, '/snapshot', null);
    expect([refused.status, refused.text]).toEqual([507, expect.stringMatching(/snapshots\/.*I\/O error/i)]);
    await load.goesOn();
    rmSync(trigger);
    expect((await cluster.post(failing, '/snapshot', null)).status).toBe(200);
    expect(await load.problems()).toEqual([]);
    expect(cluster.process(failing).exit).toBeNull();
  },
);

test.skipIf(missing)(
  'a leader whose disk hangs gives way, answers from what it has, and goes on when its disk does',
  async () => {
    const load = await Load.start(cluster, 'hang');
    await load.goesOn();
    const hung = await cluster.leader();
    writeFileSync(trigger, `hang ${constants.errno.EIO} ${cluster.node(hung).dataDir}/log.db`);
    await waitUntil(async () => {
      const { current_leader } = (await cluster.metrics(hung)).Ok;
      return current_leader !== null && current_leader !== hung;
    }, `node ${hung} to follow another one`);
    await load.goesOn();
    expect((await cluster.manage(hung, 'GET', '/health')).status).toBe(200);
    expect(await cluster.version(hung)).toBeGreaterThan(0);
    expect((await cluster.post(hung, '/write', { Put: { key: 'through', value: 'hung' } })).status).toBe(504);

    rmSync(trigger);
    await load.goesOn();
    expect(await load.problems()).toEqual([]);
    expect(await cluster.read(hung, 'through')).toBe('hung');
    expect(cluster.process(hung).exit).toBeNull();
  },
);
