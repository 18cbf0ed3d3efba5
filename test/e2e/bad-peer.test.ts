import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { afterEach, beforeAll, describe, expect, test } from 'vitest';
import { useCluster } from './cluster.ts';
import { type Observation, observe } from './observe.ts';
import { sendRaw } from './raw-socket.ts';
import { Database } from './sqlite.ts';
import { waitUntil } from './wait-until.ts';

// Whoever reaches the cluster port may claim to be a peer. Wrong claims are refused with the reason; nonsense behind a
// right one closes the connection. No node ends, no state changes, no leader is lost.

const PROTOCOL = 'metad-peer/2';

const cluster = useCluster();
let before: Observation;

beforeAll(async () => {
  await cluster.form(3);
  for (const id of cluster.ids)
    await waitUntil(() => knowsDisksOfAll(id), `node ${id} to know whose disk is whose`);
  await cluster.write(1, 'kept', 'as it is');
  before = await observe(cluster);
});

/** An initial cluster records its members' disks as they connect; until then any disk under a member's id is let in. */
function knowsDisksOfAll(id: number): boolean {
  const state = new Database(join(cluster.node(id).dataDir, 'state.db'), { readonly: true });
  const membership = String(state.prepare('SELECT membership FROM state').pluck().get());
  state.close();
  return membership.match(/"instance"/g)?.length === cluster.ids.length;
}

afterEach(async () => {
  expect(cluster.runningIds).toEqual([1, 2, 3]);
  expect(await observe(cluster)).toEqual(before);
});

function upgrade(headers: Readonly<Record<string, string>>): string {
  const all = { Host: 'x', Connection: 'Upgrade', Upgrade: PROTOCOL, ...headers };
  const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`);
  return `GET / HTTP/1.1\r\n${lines.join('')}\r\n`;
}

const dial = (id: number, headers: Readonly<Record<string, string>>, ...rest: (string | Buffer)[]) =>
  sendRaw(cluster.node(id).ports.cluster, upgrade(headers), ...rest);

/** How a node names itself to its peers; whoever asks is told. */
async function identityOf(id: number): Promise<Record<string, string>> {
  const reply = await dial(id, { 'X-Metad-Identify': '1' });
  const names = ['X-Metad-Node', 'X-Metad-Instance', 'X-Metad-Run', 'X-Metad-Cluster', 'X-Metad-Membership'];
  const values = names.map((name) => new RegExp(`^${name}: (.*)\r$`, 'im').exec(reply)?.[1] ?? '');
  expect(
    values.every((value) => value !== ''),
    reply,
  ).toBe(true);
  return Object.fromEntries(names.map((name, index) => [name, values[index] ?? '']));
}

function statusOf(reply: string): number {
  return Number(/^HTTP\/1\.1 (\d{3})/.exec(reply)?.[1]);
}

describe('a claim that is wrong', () => {
  test('another protocol or release', async () => {
    const reply = await dial(1, { Upgrade: 'metad-peer/999' });
    expect([statusOf(reply), reply]).toEqual([426, expect.stringContaining(PROTOCOL)]);
  });

  test('nobody in particular', async () => {
    expect(statusOf(await dial(1, {}))).toBe(400);
    expect(
      statusOf(await dial(1, { 'X-Metad-Node': '-1', 'X-Metad-Instance': 'x', 'X-Metad-To': '1' })),
    ).toBe(400);
    expect(statusOf(await dial(1, { 'X-Metad-Node': '2', 'X-Metad-Instance': 'x'.repeat(5000) }))).toBe(400);
  });

  test('a member on another disk, or of another cluster', async () => {
    const identity = await identityOf(2);
    const otherDisk = await dial(1, { ...identity, 'X-Metad-Instance': 'another', 'X-Metad-To': '1' });
    expect([statusOf(otherDisk), otherDisk]).toEqual([
      409,
      expect.stringMatching(/remove|instance|director/i),
    ]);
    const otherCluster = await dial(1, { ...identity, 'X-Metad-Cluster': 'another', 'X-Metad-To': '1' });
    expect([statusOf(otherCluster), otherCluster]).toEqual([409, expect.stringMatching(/cluster/i)]);
  });

  test('a call for another node, or for itself', async () => {
    const identity = await identityOf(2);
    const wrongNode = await dial(1, { ...identity, 'X-Metad-To': '3' });
    expect([statusOf(wrongNode), wrongNode]).toEqual([409, expect.stringContaining('node 1')]);
    const itself = await dial(2, { ...identity, 'X-Metad-To': '2' });
    expect([statusOf(itself), itself]).toEqual([409, expect.stringContaining('node 2')]);
  });
});

describe('nonsense behind a right claim', () => {
  const frame = (body: Buffer): Buffer => {
    const length = Buffer.alloc(4);
    length.writeUInt32BE(body.length);
    return Buffer.concat([length, body]);
  };

  test.for([
    ['random bytes', randomBytes(100_000)],
    ['a frame of four gigabytes', Buffer.from([0xff, 0xff, 0xff, 0xff, 0x00])],
    ['an empty frame', frame(Buffer.alloc(0))],
    ['a frame of random bytes', frame(Buffer.concat([Buffer.from([0x93]), randomBytes(2000)]))],
    ['a frame that is no list', frame(Buffer.from([0xc0]))],
    ['a frame of an unknown kind', frame(Buffer.from([0x91, 0x7f]))],
    [
      'a list that claims four billion members',
      frame(Buffer.from([0x92, 0x00, 0xdd, 0xff, 0xff, 0xff, 0xff])),
    ],
    ['lists in lists without end', frame(Buffer.alloc(500_000, 0x91))],
    ['messages that are none', frame(Buffer.from([0x92, 0x00, 0x92, 0x01, 0xa1, 0x78]))],
  ] as const)('%s closes the connection', async ([, bytes]) => {
    const leader = await cluster.leader();
    const follower = cluster.ids.find((id) => id !== leader) ?? 0;
    for (const [victim, claimed] of [
      [leader, follower],
      [follower, leader],
    ] as const) {
      const headers = { ...(await identityOf(claimed)), 'X-Metad-To': String(victim) };
      const reply = await dial(victim, headers, bytes);
      expect(statusOf(reply), reply.slice(0, 300)).toBe(101);
    }
  });
});
