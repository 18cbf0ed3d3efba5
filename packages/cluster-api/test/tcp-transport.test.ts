import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { logIndex, nodeId } from '@metad/raft-core';
import { describe, expect, onTestFinished, test } from 'vitest';
import type { ProtocolRange } from '../src/peers/protocol-range.ts';
import { heartbeat, membershipAt, rounds, TestPeer, until, upgradeRaw } from './peer-harness.ts';

test('three nodes that know each other exchange messages, in order', async () => {
  const peers = await Promise.all([1, 2, 3].map((node) => TestPeer.start({ node })));
  for (const peer of peers) peer.know(...peers);
  for (const peer of peers) {
    for (const other of peers) if (other !== peer) await peer.linked(other.node, 'dialled');
  }
  for (const peer of peers) {
    for (let round = 1; round <= 100; round += 1) {
      peer.transport.send(
        peers.filter((other) => other !== peer).map((other) => heartbeat(peer.node, other.node, round)),
      );
    }
  }
  for (const peer of peers) {
    await until(() => expect(peer.received).toHaveLength(200));
    for (const other of peers) {
      const from = peer.received.filter((message) => message.from === other.node);
      expect(from).toEqual(other === peer ? [] : from.map((_, i) => heartbeat(other.node, peer.node, i + 1)));
    }
  }
});

test('a large batch arrives whole and in order, in frames of a bounded size', async () => {
  const limits = { maxFrameBytes: 4096 };
  const one = await TestPeer.start({ node: 1, limits });
  const two = await TestPeer.start({ node: 2, limits });
  one.know(two);
  await one.linked(2, 'dialled');
  one.transport.send(Array.from({ length: 2000 }, (_, i) => heartbeat(1, 2, i)));
  await until(() => expect(rounds(two)).toEqual(Array.from({ length: 2000 }, (_, i) => i)));
  expect(two.eventsOf('frameRejected')).toEqual([]);
});

test('digests reach every peer', async () => {
  const [one, two, three] = [
    await TestPeer.start({ node: 1 }),
    await TestPeer.start({ node: 2 }),
    await TestPeer.start({ node: 3 }),
  ];
  one.know(two, three);
  await one.linked(2, 'dialled');
  await one.linked(3, 'dialled');
  const mark = { index: logIndex(7), digest: 'ab'.repeat(32) };
  one.transport.sendDigests([mark]);
  for (const peer of [two, three]) await until(() => expect(peer.digests).toEqual([mark]));
});

test('a node that knows nobody answers over the connection that it was reached by', async () => {
  const leader = await TestPeer.start({ node: 1 });
  const standby = await TestPeer.start({ node: 2, cluster: null });
  leader.know(standby);
  await standby.linked(1, 'accepted');
  standby.transport.send([heartbeat(2, 1)]);
  await until(() => expect(leader.received).toEqual([heartbeat(2, 1)]));
});

test('messages to nobody, to strangers and to a node that is down are dropped', async () => {
  const one = await TestPeer.start({ node: 1 });
  const down = await TestPeer.start({ node: 2 });
  await down.stop();
  one.knowRecords({ 2: { addr: '127.0.0.1:1' } });
  one.transport.send([]);
  one.transport.send([heartbeat(1, 2), heartbeat(1, 3)]);
  await until(() => expect(one.eventsOf('dialFailed').length).toBeGreaterThan(0));
  expect(one.unreachable).toContain(nodeId(2));
});

test('a node that restarts is reached again, and the break is reported', async () => {
  const one = await TestPeer.start({ node: 1 });
  const first = await TestPeer.start({ node: 2 });
  const { port } = first;
  one.know(first);
  await one.linked(2, 'dialled');
  await first.stop();
  await until(() => expect(one.unreachable).toContain(nodeId(2)));
  const second = await TestPeer.start({ node: 2, port });
  await one.linked(2, 'dialled');
  one.transport.send([heartbeat(1, 2)]);
  await until(() => expect(second.received).toEqual([heartbeat(1, 2)]));
});

test('a node that comes back by itself is dialled at once, whatever the back-off', async () => {
  const one = await TestPeer.start({ node: 1, limits: { redialMinMs: 3_600_000, redialMaxMs: 3_600_000 } });
  const two = await TestPeer.start({ node: 2 });
  const { port } = two;
  one.know(two);
  await one.linked(2, 'dialled');
  await two.stop();
  await until(() => expect(one.openLinks(2, 'dialled')).toBe(0));
  const again = await TestPeer.start({ node: 2, port });
  again.know(one);
  await one.linked(2, 'dialled');
});

test('a newer connection of the same node replaces its older one', async () => {
  const one = await TestPeer.start({ node: 1 });
  const older = await upgradeRaw(one, 2);
  await one.linked(2, 'accepted');
  const closed = new Promise((resolve) => older.on('close', resolve));
  older.resume();
  const newer = await upgradeRaw(one, 2);
  await closed;
  expect(one.openLinks(2, 'accepted')).toBe(1);
  const reading = new Promise<Buffer>((resolve) => newer.once('data', resolve));
  one.transport.send([heartbeat(1, 2)]);
  expect((await reading).length).toBeGreaterThan(4);
});

describe('setPeers', () => {
  test('links to a node that is removed are closed both ways, and it is dialled no more', async () => {
    let removed = false;
    const without = membershipAt(9);
    const one = await TestPeer.start({
      node: 1,
      admit: () =>
        removed ? { type: 'refused', reason: 'you were removed', without } : { type: 'admitted' },
    });
    const two = await TestPeer.start({ node: 2 });
    one.know(one, two);
    two.know(one, two);
    await one.linked(2, 'dialled');
    await one.linked(2, 'accepted');
    removed = true;
    one.know(one);
    await until(() => expect(two.eventsOf('linkRefused').at(-1)?.reason).toBe('HTTP 409: you were removed'));
    expect(two.refusedBy[0], 'and it is told by which membership').toEqual(without);
    const closed = one.eventsOf('linkClosed').map(({ direction, reason }) => `${direction}: ${reason}`);
    expect(closed.sort()).toEqual([
      'accepted: the node is no longer a member',
      'dialled: the node is no longer a member',
    ]);
    expect(one.eventsOf('linkOpened')).toHaveLength(2);
    expect(one.unreachable).toEqual([]);
  });

  test('a link outlives its place in the membership long enough for what is still to be said', async () => {
    const one = await TestPeer.start({ node: 1, limits: { unlistedLingerMs: 3_600_000 } });
    const two = await TestPeer.start({ node: 2 });
    one.know(one, two);
    await one.linked(2, 'dialled');
    one.know(one);
    one.transport.send([heartbeat(1, 2)]);
    await until(() => expect(two.received).toEqual([heartbeat(1, 2)]));
  });

  test('a node that is listed again in time keeps its link for good', async () => {
    const one = await TestPeer.start({ node: 1 });
    const [two, three] = [await TestPeer.start({ node: 2 }), await TestPeer.start({ node: 3 })];
    one.know(one, two, three);
    await one.linked(2, 'dialled');
    await one.linked(3, 'dialled');
    one.know(one);
    one.know(one, two);
    // The time of node 2 began before that of node 3, and would have run out before it.
    await until(() => expect(one.openLinks(3, 'dialled')).toBe(0));
    expect(one.openLinks(2, 'dialled')).toBe(1);
  });

  test('an empty membership says nothing about who has connected', async () => {
    const leader = await TestPeer.start({ node: 1 });
    const standby = await TestPeer.start({ node: 2 });
    leader.know(standby);
    await standby.linked(1, 'accepted');
    standby.knowRecords({});
    standby.transport.send([heartbeat(2, 1)]);
    await until(() => expect(leader.received).toHaveLength(1));
    expect(standby.eventsOf('linkClosed')).toEqual([]);
  });

  test('a node that moves is dialled where it is now', async () => {
    const one = await TestPeer.start({ node: 1 });
    const [here, there] = [await TestPeer.start({ node: 2 }), await TestPeer.start({ node: 2 })];
    one.know(here);
    await here.linked(1, 'accepted');
    one.know(there);
    await until(() => expect(here.openLinks(1, 'accepted')).toBe(0));
    // Again and again, as Raft would: the end that dials is the last to know of its link, and drops what comes before.
    await until(() => {
      one.transport.send([heartbeat(1, 2)]);
      expect(there.received).not.toEqual([]);
    });
    expect(here.received).toEqual([]);
  });

  test('the links of an instance that is not the member any more are closed', async () => {
    const one = await TestPeer.start({ node: 1 });
    const two = await TestPeer.start({ node: 2 });
    one.know(two);
    await one.linked(2, 'dialled');
    one.knowRecords({ 2: { addr: two.addr, instance: 'another' } });
    await until(() => expect(one.openLinks(2, 'dialled')).toBe(0));
    await until(() =>
      expect(one.eventsOf('linkRefused').at(-1)?.reason).toMatch(
        /HTTP 409: .*remove node 2 .*add it with POST/,
      ),
    );
  });

  test('a node that knows a later membership is linked, whatever its instance, until this one knows as much', async () => {
    const one = await TestPeer.start({ node: 1 });
    const two = await TestPeer.start({ node: 2, instance: 'replaced' });
    const records = (instance: string) => ({ 2: { addr: two.addr, instance } });
    two.committed = membershipAt(5);
    one.knowRecords(records('first'), membershipAt(5));
    await until(() => expect(one.eventsOf('linkRefused').at(-1)?.reason).toMatch(/remove node 2/));
    two.committed = membershipAt(9);
    await one.linked(2, 'dialled');
    one.knowRecords(records('first'), membershipAt(8));
    one.transport.send([heartbeat(1, 2)]);
    await until(() => expect(two.received).toHaveLength(1));
    expect(one.eventsOf('linkClosed')).toEqual([]);
    one.knowRecords(records('first'), membershipAt(10));
    await until(() => expect(one.openLinks(2, 'dialled')).toBe(0));
    one.knowRecords(records('replaced'), membershipAt(11));
    await one.linked(2, 'dialled');
  });

  test('learning the instance of a linked node does not disturb its link', async () => {
    const one = await TestPeer.start({ node: 1 });
    const two = await TestPeer.start({ node: 2 });
    one.know(two);
    await one.linked(2, 'dialled');
    one.knowRecords({ 2: { addr: two.addr, instance: 'instance-2' } });
    one.transport.send([heartbeat(1, 2)]);
    await until(() => expect(two.received).toHaveLength(1));
    expect(one.eventsOf('linkClosed')).toEqual([]);
  });
});

describe('refusals reach the dialler with what to do', () => {
  test('the token', async () => {
    const one = await TestPeer.start({ node: 1, token: 'wrong-token' });
    const two = await TestPeer.start({ node: 2 });
    one.know(two);
    await until(() => expect(one.eventsOf('linkRefused').length).toBeGreaterThan(0));
    expect(one.eventsOf('linkRefused')[0]).toEqual({
      type: 'linkRefused',
      node: 2,
      direction: 'dialled',
      remote: two.addr,
      reason: 'HTTP 401: the cluster token is missing or wrong: start both nodes with the same cluster_token',
    });
    expect(JSON.stringify([one.events, two.events])).not.toMatch(/wrong-token|secret-token/);
    expect(one.unreachable).toContain(nodeId(2));
    expect(two.openLinks(1, 'accepted')).toBe(0);
  });

  test('the token, when the other end has none', async () => {
    const one = await TestPeer.start({ node: 1 });
    const two = await TestPeer.start({ node: 2, token: null });
    one.know(two);
    two.know(one);
    const reasons = ({ events }: TestPeer) =>
      events.flatMap((event) => ('reason' in event && 'direction' in event ? [event.reason] : [])).join('\n');
    await until(() => expect(reasons(one)).toMatch(/401: this node has no cluster token: start both nodes/));
    await until(() => expect(reasons(two)).toMatch(/401: the cluster token is missing or wrong/));
    expect([...one.eventsOf('linkOpened'), ...two.eventsOf('linkOpened')]).toEqual([]);
  });

  test('somebody at the address who says the right things and does not know the token', async () => {
    const one = await TestPeer.start({ node: 1 });
    const two = await TestPeer.start({ node: 2 });
    const heard: string[] = [];
    const impostor = createServer().on('upgrade', ({ headers }, socket: Socket) => {
      heard.push(JSON.stringify(headers));
      const identity = 'x-metad-node: 2\r\nx-metad-instance: instance-2\r\nx-metad-run: r\r\n';
      if (headers['x-metad-challenge'] === 'ask')
        socket.end('HTTP/1.1 401 Unauthorized\r\nx-metad-challenge: mine\r\nContent-Length: 0\r\n\r\n');
      else
        socket.write(
          `HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n${identity}\r\n`,
        );
    });
    impostor.listen(0, '127.0.0.1');
    await once(impostor, 'listening');
    onTestFinished(() => {
      impostor.close();
      impostor.closeAllConnections();
    });
    one.knowRecords({ 2: { addr: `127.0.0.1:${(impostor.address() as AddressInfo).port}` } });
    await until(() =>
      expect(one.eventsOf('linkRefused')[0]?.reason).toMatch(/does not prove the cluster token: start both/),
    );
    expect(one.eventsOf('linkOpened')).toEqual([]);
    expect(heard.join()).not.toContain('secret-token');
    expect(two.events).toEqual([]);
  });

  test('the other end does not admit this node', async () => {
    const one = await TestPeer.start({ node: 1, cluster: 'other' });
    const two = await TestPeer.start({
      node: 2,
      admit: ({ cluster }) => ({ type: 'refused', reason: `you are of cluster ${cluster}`, without: null }),
    });
    one.know(two);
    await until(() =>
      expect(one.eventsOf('linkRefused')[0]?.reason).toBe('HTTP 409: you are of cluster other'),
    );
    expect(two.eventsOf('linkRefused')[0]).toMatchObject({ node: 1, direction: 'accepted' });
  });

  test('this end does not admit who has answered', async () => {
    const one = await TestPeer.start({
      node: 1,
      admit: () => ({ type: 'refused', reason: 'not you', without: null }),
    });
    const two = await TestPeer.start({ node: 2 });
    one.know(two);
    await until(() => expect(one.eventsOf('linkRefused')[0]?.reason).toBe('not you'));
    await until(() => expect(two.openLinks(1, 'accepted')).toBe(0));
    expect(two.received).toEqual([]);
  });

  test('another node listens at the address', async () => {
    const one = await TestPeer.start({ node: 1 });
    const three = await TestPeer.start({ node: 3 });
    one.knowRecords({ 2: { addr: three.addr } });
    await until(() =>
      expect(one.eventsOf('linkRefused')[0]?.reason).toMatch(
        /409: this is node 3, not node 2: correct the address/,
      ),
    );
  });

  test('a node that has not started to take part is asked again', async () => {
    const one = await TestPeer.start({ node: 1 });
    const two = await TestPeer.start({ node: 2 });
    await two.transport.stop();
    one.know(two);
    await until(() =>
      expect(one.eventsOf('dialFailed')[0]?.reason).toMatch(/HTTP 503: this node is not taking part/),
    );
  });
});

describe('two processes on copies of one data directory', () => {
  test('the one that is not at the address in the membership is refused', async () => {
    const one = await TestPeer.start({ node: 1 });
    const member = await TestPeer.start({ node: 2 });
    const copy = await TestPeer.start({ node: 2 });
    one.know(member);
    await one.linked(2, 'dialled');
    copy.know(one);
    await until(() =>
      expect(copy.eventsOf('linkRefused')[0]?.reason).toMatch(
        new RegExp(`node 2 runs twice: at ${member.addr}.*end this process`),
      ),
    );
    member.know(one);
    await one.linked(2, 'accepted');
    expect(copy.eventsOf('linkOpened')).toEqual([]);
  });

  test('that one loses its link when the other comes to light', async () => {
    const one = await TestPeer.start({ node: 1 });
    const copy = await TestPeer.start({ node: 2 });
    copy.know(one);
    await one.linked(2, 'accepted');
    const member = await TestPeer.start({ node: 2 });
    one.know(member);
    await until(() => expect(copy.eventsOf('linkRefused')[0]?.reason).toMatch(/runs twice/));
    expect(one.openLinks(2, 'accepted')).toBe(0);
  });

  test('a node that runs once may dial from anywhere', async () => {
    const one = await TestPeer.start({ node: 1 });
    const member = await TestPeer.start({ node: 2 });
    one.know(member);
    await one.linked(2, 'dialled');
    member.know(one);
    await one.linked(2, 'accepted');
    expect(member.openLinks(1, 'accepted')).toBe(1);
  });
});

describe('identify', () => {
  test('tells who listens, without opening anything', async () => {
    const one = await TestPeer.start({ node: 1, cluster: null });
    const two = await TestPeer.start({
      node: 2,
      admit: () => expect.unreachable('nobody is to be admitted'),
    });
    expect(await one.transport.identify(two.addr, 30_000)).toEqual({
      type: 'identified',
      identity: expect.objectContaining({ node: 2, instance: 'instance-2', cluster: 'cluster' }),
    });
    expect([...one.events, ...two.events]).toEqual([]);
  });

  test('needs the token', async () => {
    const one = await TestPeer.start({ node: 1, token: null });
    const two = await TestPeer.start({ node: 2 });
    expect(await one.transport.identify(two.addr, 30_000)).toEqual({
      type: 'failed',
      reason: `${two.addr} refuses: HTTP 401: the cluster token is missing or wrong: start both nodes with the same cluster_token`,
    });
  });

  test.each([
    ['127.0.0.1:1', /127\.0\.0\.1:1 can't be reached: .*ECONNREFUSED/],
    ['nowhere', /not an address \(host:port\): nowhere/],
    ['host:99999', /not an address/],
    ['a b:80', /not an address/],
    ['x\r\nEvil: 1:80', /not an address/],
    ['', /not an address/],
  ])('fails with the reason at %j', async (addr, reason) => {
    const one = await TestPeer.start({ node: 1 });
    expect(await one.transport.identify(addr, 30_000)).toEqual({
      type: 'failed',
      reason: expect.stringMatching(reason),
    });
  });

  test('is told by nobody who does not prove the token', async () => {
    const one = await TestPeer.start({ node: 1 });
    const impostor = createServer().on('upgrade', (_, socket: Socket) => {
      const identity = 'x-metad-node: 2\r\nx-metad-instance: made-up\r\nx-metad-run: r\r\n';
      socket.end(`HTTP/1.1 200 OK\r\n${identity}Content-Length: 0\r\n\r\n`);
    });
    impostor.listen(0, '127.0.0.1');
    await once(impostor, 'listening');
    onTestFinished(() => {
      impostor.close();
    });
    const { port } = impostor.address() as AddressInfo;
    expect(await one.transport.identify(`127.0.0.1:${port}`, 30_000)).toMatchObject({
      type: 'failed',
      reason: expect.stringContaining('does not prove the cluster token'),
    });
  });

  test('ends when the transport stops', async () => {
    const one = await TestPeer.start({ node: 1 });
    const silent = await TestPeer.start({ node: 2 });
    silent.server.removeAllListeners('upgrade');
    silent.server.on('upgrade', () => undefined);
    const outcome = one.transport.identify(silent.addr, 3_600_000);
    await one.transport.stop();
    const stopping = { type: 'failed', reason: 'this node is stopping' };
    expect(await outcome).toEqual(stopping);
    expect(await one.transport.identify(silent.addr, 30_000)).toEqual(stopping);
  });
});

describe('the protocol of a link', () => {
  const between = async (one: ProtocolRange, two: ProtocolRange) => {
    const dialler = await TestPeer.start({ node: 1, protocols: one });
    const answerer = await TestPeer.start({ node: 2, protocols: two });
    dialler.know(answerer);
    return { dialler, answerer };
  };

  test('is the newest that both ends speak', async () => {
    const { dialler, answerer } = await between({ oldest: 2, newest: 4 }, { oldest: 1, newest: 3 });
    await answerer.linked(1, 'accepted');
    await dialler.linked(2, 'dialled');
    for (const peer of [dialler, answerer]) {
      expect(peer.eventsOf('linkOpened')).toMatchObject([{ protocol: 3 }]);
    }
    dialler.transport.send([heartbeat(1, 2)]);
    await until(() => expect(rounds(answerer)).toEqual([1]));
    expect(await dialler.transport.identify(answerer.addr, 1000)).toMatchObject({ type: 'identified' });
  });

  test('is none when there is no such: both ends say what they speak', async () => {
    const { dialler, answerer } = await between({ oldest: 2, newest: 2 }, { oldest: 3, newest: 4 });
    const reason =
      /speaks metad-peer\/4, metad-peer\/3, the one that dials metad-peer\/2: .*upgrade the older one/;
    for (const [peer, direction] of [
      [dialler, 'dialled'],
      [answerer, 'accepted'],
    ] as const) {
      await until(() => expect(peer.eventsOf('linkRefused')).not.toEqual([]));
      expect(peer.eventsOf('linkRefused')[0]).toMatchObject({
        direction,
        reason: expect.stringMatching(reason),
      });
      expect(peer.eventsOf('linkOpened')).toEqual([]);
    }
    const outcome = await dialler.transport.identify(answerer.addr, 1000);
    expect(outcome).toMatchObject({ type: 'failed', reason: expect.stringMatching(reason) });
  });
});

test('both ends of a link know what the other can take part in, for as long as it is open', async () => {
  const one = await TestPeer.start({ node: 1, levels: { known: 3, allowed: 2 } });
  const two = await TestPeer.start({ node: 2, levels: { known: 2, allowed: 2 } });
  expect(one.transport.linkedPeer(two.node)).toBeNull();
  one.know(two);
  await one.linked(2, 'dialled');
  await two.linked(1, 'accepted');
  expect(one.transport.linkedPeer(two.node)?.levels).toEqual({ known: 2, allowed: 2 });
  expect(two.transport.linkedPeer(one.node)?.levels).toEqual({ known: 3, allowed: 2 });
  await two.stop();
  await until(() => expect(one.transport.linkedPeer(two.node)).toBeNull());
});
