import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { useCluster } from './cluster.ts';
import { json, send, versionOf } from './http.ts';
import { releasePorts, reserveRow } from './ports.ts';
import { ScriptProcess } from './script-process.ts';
import { waitUntil } from './wait-until.ts';

// What `npm start` runs, on other ports and in a folder of its own.

const START = fileURLToPath(new URL('../../examples/three-nodes/start.mjs', import.meta.url));

/** Only for its folder and its clean-up: the nodes here are the script's own. */
const cluster = useCluster();
const scripts: ScriptProcess[] = [];
let ports: number[];

beforeAll(async () => {
  ports = await reserveRow(9);
});

afterAll(async () => {
  // The second signal makes the script kill its nodes at once.
  for (const script of scripts) {
    script.signal('SIGTERM');
    script.signal('SIGTERM');
    await script.exited;
  }
  releasePorts(ports);
});

const port = (api: 'metadata' | 'manage' | 'cluster', id: number): number =>
  (ports[0] ?? 0) + { metadata: 0, manage: 3, cluster: 6 }[api] + id - 1;

function start(dataDir: string, ...flags: string[]): ScriptProcess {
  const first = ['metadata', 'manage', 'cluster'] as const;
  const portFlags = first.flatMap((api) => [`--${api}_port`, String(port(api, 1))]);
  const script = new ScriptProcess(START, ['--data_dir', dataDir, ...portFlags, ...flags]);
  scripts.push(script);
  return script;
}

async function untilUp(script: ScriptProcess): Promise<void> {
  await waitUntil(() => {
    if (script.exit) throw new Error(`it ended: ${script.log}`);
    return script.log.includes('Ctrl-C stops');
  }, 'the overview of npm start');
}

async function read(api: 'metadata' | 'manage', id: number, path: string): Promise<unknown> {
  return json(await send({ port: port(api, id), path, headers: { Accept: 'application/json' } }));
}

describe('npm start', () => {
  test('runs three nodes with a sample, shows where, keeps the data, and stops on Ctrl-C', async () => {
    const dataDir = cluster.scratch('npm-start');
    const first = start(dataDir);
    await untilUp(first);
    expect(first.log).toMatch(/Node [123] leads/);
    for (const id of [1, 2, 3]) expect(first.log).toContain(`http://127.0.0.1:${port('metadata', id)}`);
    expect(first.log.match(/^ {2}curl /gm)).toHaveLength(3);
    expect(await read('metadata', 1, '/self')).toEqual(expect.any(Object));

    // What it says is worth trying: a wait on one node is ended by a write to another.
    const path = '/self/cluster/release';
    const before = versionOf(await send({ port: port('metadata', 2), path }));
    const waiting = read('metadata', 2, `${path}?wait=true&prev_version=${before}`);
    const body = JSON.stringify({ release: '2.5.1' });
    const write = await send({
      port: port('manage', 3),
      method: 'PUT',
      path: '/v1/data/clusters/shop',
      body,
    });
    expect(write.status).toBe(200);
    expect(await waiting).toBe('2.5.1');

    expect(await first.end('SIGINT')).toEqual({ code: 0, signal: null });
    expect(first.log).toMatch(/Stopped/);

    const second = start(dataDir);
    await untilUp(second);
    expect(await read('manage', 1, '/v1/data/clusters/shop/release')).toBe('2.5.1');
    expect(await second.end('SIGINT')).toEqual({ code: 0, signal: null });
  });

  test('runs one node afresh, and says which port is taken', async () => {
    const dataDir = cluster.scratch('npm-start-one');
    const one = start(dataDir, '--nodes', '1', '--fresh');
    await untilUp(one);
    expect(await read('metadata', 1, '/self')).toEqual(expect.any(Object));

    const other = start(cluster.scratch('npm-start-other'));
    await waitUntil(() => other.exit, 'the second cluster to give up');
    expect(other.exit?.code).toBe(1);
    expect(other.log).toContain(String(port('metadata', 1)));
    expect(one.exit, 'the first goes on').toBeNull();
    expect(await one.end('SIGINT')).toEqual({ code: 0, signal: null });
  });

  test('explains its flags', async () => {
    const help = new ScriptProcess(START, ['--help']);
    expect(await help.exited).toEqual({ code: 0, signal: null });
    expect(help.log).toContain('--nodes');
    const wrong = new ScriptProcess(START, ['--nodes', 'many']);
    expect((await wrong.exited).code).toBe(2);
    expect(wrong.log).toContain('--nodes');
  });
});
