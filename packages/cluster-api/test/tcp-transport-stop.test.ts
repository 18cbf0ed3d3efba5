import { nodeId, ZERO_LOG_ID } from '@metad/raft-core';
import { expect, test } from 'vitest';
import { createTcpTransport } from '../src/peers/tcp-transport.ts';
import { heartbeat, TestPeer, until } from './peer-harness.ts';

// First in its file, and the file has its process to itself: whatever is open belongs to this test.
test('stopping sends what is queued, closes every connection, and leaves no timer', async () => {
  const before = openResources();
  const one = await TestPeer.start({ node: 1 });
  const two = await TestPeer.start({ node: 2 });
  one.know(two);
  two.know(one);
  await one.linked(2, 'dialled');
  await two.linked(1, 'dialled');
  const call = one.transport.call(nodeId(2), { type: 'removeLearner', node: nodeId(9) }, 3_600_000);
  one.knowRecords({ 2: { addr: two.addr }, 3: { addr: '127.0.0.1:1' } });
  one.transport.send([heartbeat(1, 2)]);
  await one.stop();
  await call;
  await until(() => expect(two.received).toEqual([heartbeat(1, 2)]));
  await two.stop();
  // Handles that are closed go at the end of the loop's turn.
  while (openResources().some((name) => name.startsWith('TCP'))) await new Promise(setImmediate);
  expect(withoutThoseOf(before)).toEqual([]);
});

test('after a stop nothing is dialled, sent or accepted', async () => {
  const one = await TestPeer.start({ node: 1 });
  const two = await TestPeer.start({ node: 2 });
  await one.transport.stop();
  one.know(two);
  one.transport.send([heartbeat(1, 2)]);
  const call = { type: 'transferLeader', to: null } as const;
  expect(await one.transport.call(nodeId(2), call, 1000)).toMatchObject({ error: { type: 'noLink' } });
  await one.transport.stop();
  expect(one.events).toEqual([]);
});

test('a transport that never started stops as well', async () => {
  const handlers = {
    identity: () => ({
      node: nodeId(1),
      instance: 'a',
      run: 'r',
      cluster: null,
      membership: ZERO_LOG_ID,
      levels: { known: 1, allowed: 1 },
    }),
    admit: () => ({ type: 'admitted' }) as const,
    receive: () => undefined,
    snapshot: () => undefined,
    call: () => expect.unreachable('nobody calls'),
    digests: () => undefined,
    notMember: () => undefined,
    unreachable: () => undefined,
  };
  const transport = createTcpTransport({ handlers, token: null });
  transport.setPeers(new Map([[nodeId(2), { addr: '127.0.0.1:1' }]]), ZERO_LOG_ID);
  await transport.stop();
});

/** What is open now beyond what was open before; a timer of the test runner may have gone meanwhile. */
function withoutThoseOf(before: readonly string[]): string[] {
  const left = [...before];
  return openResources().filter((name) => {
    const known = left.indexOf(name);
    if (known >= 0) left.splice(known, 1);
    return known < 0;
  });
}

/** Sockets, requests and timers that would keep the process alive. */
function openResources(): string[] {
  const kinds = /^(Timeout|TCP|GetAddrInfo)/;
  return process
    .getActiveResourcesInfo()
    .filter((name) => kinds.test(name))
    .sort();
}
