import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { logIndex, type Message, nodeId, term } from '@metad/raft-core';
import { describe, expect, onTestFinished, test } from 'vitest';
import { encodeFrame, type PeerFrame } from '../src/peers/protocol.ts';
import { heartbeat, TestPeer, until, upgradeRaw } from './peer-harness.ts';

/** What comes back over a bare connection until the other end closes it. */
async function exchange(peer: TestPeer, text: string): Promise<string> {
  const socket = connect(peer.port, '127.0.0.1');
  let answer = '';
  socket.setEncoding('utf8');
  socket.on('data', (chunk: string) => {
    answer += chunk;
  });
  socket.write(text);
  await once(socket, 'close');
  return answer;
}

/** Whatever was done to it before, it still serves a well-behaved peer. */
async function expectServing(peer: TestPeer): Promise<void> {
  const friend = await TestPeer.start({ node: 77 });
  friend.know(peer);
  await friend.linked(peer.node, 'dialled');
  friend.transport.send([heartbeat(77, peer.node, 4711)]);
  await until(() => expect(peer.received.at(-1)).toEqual(heartbeat(77, peer.node, 4711)));
}

function length(bytes: number): Buffer {
  const header = Buffer.alloc(4);
  header.writeUInt32BE(bytes);
  return header;
}

function append(from: number, to: number): Message {
  return {
    type: 'appendEntries',
    from: nodeId(from),
    to: nodeId(to),
    term: term(1),
    previous: { term: term(1), leader: nodeId(1), index: logIndex(1) },
    entries: [
      {
        term: term(1),
        leader: nodeId(1),
        index: logIndex(2),
        payload: { type: 'command', data: new Uint8Array(60_000) },
      },
    ],
    committed: logIndex(0),
    round: 1,
  };
}

describe('a connection that sends what the protocol does not know is closed, and the node goes on', () => {
  const messages = (...list: Message[]): PeerFrame => ({ type: 'messages', messages: list });
  test.each<readonly [string, Buffer, RegExp]>([
    ['random bytes', Buffer.from('5f3c91aa00ffee12', 'hex'), /over the limit/],
    ['a plain HTTP request', Buffer.from('GET / HTTP/1.1\r\nHost: x\r\n\r\n'), /over the limit/],
    ['an oversized frame', length(20_000_000), /a frame of 20000000 bytes is over the limit of 16777216/],
    ['an empty frame', length(0), /middle of a value/],
    ['garbage in a frame', Buffer.concat([length(3), Buffer.from([0xc1, 0xc1, 0xc1])]), /expected an array/],
    [
      'the name of another node',
      encodeFrame(messages(heartbeat(3, 1))),
      /from node 3 to node 1 does not belong/,
    ],
    [
      'a message for another node',
      encodeFrame(messages(heartbeat(2, 3))),
      /from node 2 to node 3 does not belong/,
    ],
    [
      'one bad message among good ones',
      encodeFrame(messages(heartbeat(2, 1), heartbeat(3, 1))),
      /does not belong on this connection/,
    ],
  ])('%s', async (_, bytes, reason) => {
    const peer = await TestPeer.start({ node: 1 });
    const socket = await upgradeRaw(peer, 2);
    socket.resume();
    socket.write(bytes);
    await once(socket, 'close');
    await until(() => expect(peer.openLinks(2, 'accepted')).toBe(0));
    expect(peer.eventsOf('frameRejected')).toEqual([
      { type: 'frameRejected', node: 2, reason: expect.stringMatching(reason) },
    ]);
    expect(peer.received).toEqual([]);
    expect(peer.unreachable).toEqual([nodeId(2)]);
    await expectServing(peer);
  });
});

test('frames before a bad one are delivered, those behind it are not', async () => {
  const peer = await TestPeer.start({ node: 1 });
  const socket = await upgradeRaw(peer, 2);
  socket.resume();
  const good = encodeFrame({ type: 'messages', messages: [heartbeat(2, 1)] });
  socket.write(Buffer.concat([good, length(1), Buffer.of(0xc1), good]));
  await once(socket, 'close');
  expect(peer.received).toEqual([heartbeat(2, 1)]);
});

test('frames sent together with the Upgrade are read, and so is one byte at a time', async () => {
  const peer = await TestPeer.start({ node: 1, token: null });
  const socket = connect(peer.port, '127.0.0.1');
  onTestFinished(() => {
    socket.destroy();
  });
  const head = [
    'GET / HTTP/1.1',
    'Host: x',
    'Connection: Upgrade',
    'Upgrade: metad-peer/2',
    'X-Metad-Node: 2',
    'X-Metad-Instance: i',
    'X-Metad-Run: r',
    'X-Metad-To: 1',
  ];
  const frame = encodeFrame({ type: 'messages', messages: [heartbeat(2, 1)] });
  socket.setNoDelay(true);
  socket.write(Buffer.concat([Buffer.from(`${head.join('\r\n')}\r\n\r\n`), frame]));
  await until(() => expect(peer.received).toHaveLength(1));
  for (const byte of frame) socket.write(Buffer.of(byte));
  await until(() => expect(peer.received).toHaveLength(2));
});

describe('what is no peer on the cluster port', () => {
  test('gets an HTTP answer', async () => {
    const peer = await TestPeer.start({ node: 1 });
    const upgrade = (protocol: string, more = '') =>
      exchange(
        peer,
        `GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: ${protocol}\r\n${more}\r\n`,
      );
    expect(await upgrade('metad-peer/2')).toMatch(/^HTTP\/1.1 401 Unauthorized\r\n/);
    expect(await upgrade('metad-peer/2', 'Authorization: Bearer secret-token\r\n')).toMatch(
      /^HTTP\/1.1 401 /,
    );
    expect(await upgrade('metad-peer/2', 'X-Metad-Challenge: ask\r\n')).toMatch(
      /^HTTP\/1.1 401 Unauthorized\r\n(.*\r\n)*x-metad-challenge: /,
    );
    expect(await upgrade('websocket')).toMatch(
      /^HTTP\/1.1 426 Upgrade Required\r\n(.*\r\n)*Upgrade: metad-peer\/2/,
    );
    expect(await upgrade('metad-peer/999')).toMatch(
      /upgrade the older one, if need be by way of a release between them\n$/,
    );
    expect(await exchange(peer, '\x00\x01\x02 nonsense\r\n\r\n')).toMatch(/^HTTP\/1.1 400 /);
    await expectServing(peer);
  });

  test('is cut off when it does not let go of a refused connection', async () => {
    const peer = await TestPeer.start({ node: 1 });
    const socket = connect({ port: peer.port, host: '127.0.0.1', allowHalfOpen: true });
    socket.on('error', () => socket.destroy());
    socket.resume();
    socket.write('GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n');
    await once(socket, 'end');
    // Half open: this end never says that it is done, and goes on talking.
    await until(async () => {
      socket.write('more');
      expect(await connections(peer)).toBe(0);
    });
  });

  test('may break off at any moment', async () => {
    const peer = await TestPeer.start({ node: 1 });
    for (let i = 0; i < 20; i += 1) {
      const socket = connect(peer.port, '127.0.0.1');
      socket.write('GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: metad-peer/2\r\n\r\n');
      socket.resetAndDestroy();
    }
    await expectServing(peer);
  });
});

test('a peer that is silent is given up', async () => {
  const peer = await TestPeer.start({ node: 1, limits: { pingIntervalMs: 5 } });
  const socket = await upgradeRaw(peer, 2);
  socket.resume();
  await once(socket, 'close');
  expect(peer.eventsOf('linkClosed')[0]?.reason).toBe('the peer has been silent for too long');
  await until(() => expect(peer.unreachable).toEqual([nodeId(2)]));
});

test('peers with nothing to say keep their connection by pings', async () => {
  const limits = { pingIntervalMs: 5, maxSilentIntervals: 20 };
  const one = await TestPeer.start({ node: 1, limits });
  const two = await TestPeer.start({ node: 2, limits });
  one.know(two);
  await one.linked(2, 'dialled');
  const watcher = await upgradeRaw(one, 3);
  let pings = 0;
  watcher.on('data', (chunk: Buffer) => {
    pings += chunk.length / encodeFrame({ type: 'ping' }).length;
    watcher.write(encodeFrame({ type: 'ping' }));
  });
  // Longer than a silent peer would be kept.
  await until(() => expect(pings).toBeGreaterThan(50));
  expect([...one.eventsOf('linkClosed'), ...two.eventsOf('linkClosed')]).toEqual([]);
});

test('a half-closed connection is closed', async () => {
  const peer = await TestPeer.start({ node: 1 });
  const socket = await upgradeRaw(peer, 2);
  socket.resume();
  socket.end();
  await once(socket, 'close');
  expect(peer.eventsOf('linkClosed')[0]?.reason).toBe('the peer closed the connection');
});

test('a peer that reads nothing costs a bounded queue: what is over it is dropped and reported', async () => {
  const maxQueuedBytes = 200_000;
  const peer = await TestPeer.start({ node: 1, limits: { maxQueuedBytes } });
  let socket: Socket | null = null;
  // The last one: it is preceded by one that asks for a challenge.
  peer.server.on('connection', (connected) => {
    socket = connected;
  });
  const slow = await upgradeRaw(peer, 2);
  slow.pause();
  const queued = (): number => socket?.writableLength ?? 0;
  let mostQueued = 0;
  await until(() => {
    peer.transport.send([append(1, 2)]);
    mostQueued = Math.max(mostQueued, queued());
    expect(peer.eventsOf('messagesDropped').length).toBeGreaterThan(10);
  });
  expect(mostQueued).toBeLessThanOrEqual(maxQueuedBytes);
  expect(mostQueued).toBeGreaterThan(0);
  expect(peer.eventsOf('messagesDropped')[0]).toEqual({
    type: 'messagesDropped',
    node: 2,
    count: 1,
    reason: 'queueFull',
  });
  await until(() => expect(peer.unreachable).toContain(nodeId(2)));
  // Once it reads again, it gets what is sent from then on.
  slow.resume();
  await until(() => expect(queued()).toBe(0));
  const dropped = peer.eventsOf('messagesDropped').length;
  peer.transport.send([append(1, 2)]);
  expect(peer.eventsOf('messagesDropped')).toHaveLength(dropped);
});

test('a peer that asks and asks and reads no answer loses its connection', async () => {
  const peer = await TestPeer.start({
    node: 1,
    limits: { maxQueuedBytes: 100_000 },
    call: () => Promise.resolve({ type: 'unknown', message: 'x'.repeat(50_000) }),
  });
  const slow = await upgradeRaw(peer, 2);
  slow.pause();
  let id = 0;
  await until(() => {
    id += 1;
    slow.write(encodeFrame({ type: 'call', id, call: { type: 'transferLeader', to: null } }));
    expect(peer.eventsOf('linkClosed')[0]?.reason).toBe('the peer does not read the answers to its calls');
  });
});

test('a message that fits no frame is dropped, and those beside it are sent', async () => {
  const limits = { maxFrameBytes: 10_000 };
  const one = await TestPeer.start({ node: 1, limits });
  const two = await TestPeer.start({ node: 2, limits });
  one.know(two);
  await one.linked(2, 'dialled');
  one.transport.send([heartbeat(1, 2, 1), append(1, 2), heartbeat(1, 2, 2)]);
  await until(() => expect(two.received).toEqual([heartbeat(1, 2, 1), heartbeat(1, 2, 2)]));
  expect(one.eventsOf('messagesDropped')).toEqual([
    { type: 'messagesDropped', node: 2, count: 1, reason: 'tooLarge' },
  ]);
});

function connections(peer: TestPeer): Promise<number> {
  return new Promise((resolve, reject) => {
    peer.server.getConnections((error, count) => (error ? reject(error) : resolve(count)));
  });
}
