import { nodeId } from '@metad/raft-core';
import { expect, test } from 'vitest';
import type { Call, CallOutcome } from '../src/consensus/call.ts';
import { DONE, TestPeer, until, upgradeRaw } from './peer-harness.ts';

const CALL: Call = { type: 'removeLearner', node: nodeId(9) };
const LONG_MS = 3_600_000;

/** Two linked peers; the second answers with `call`. */
async function linkedPair(
  call: (call: Call) => Promise<CallOutcome>,
  limits = {},
): Promise<readonly [TestPeer, TestPeer]> {
  const one = await TestPeer.start({ node: 1, limits });
  const two = await TestPeer.start({ node: 2, call, limits });
  one.know(two);
  await one.linked(2, 'dialled');
  await two.linked(1, 'accepted');
  return [one, two];
}

const never = (): Promise<CallOutcome> => new Promise(() => undefined);

test('a call reaches the other node as it was, and its answer comes back as it was', async () => {
  const seen: Call[] = [];
  const outcomes: CallOutcome[] = [
    DONE,
    { type: 'refused', error: { type: 'forwardToLeader', leader: nodeId(3) } },
    { type: 'unknown', message: 'leadership was lost' },
  ];
  const [one] = await linkedPair((call) => {
    seen.push(call);
    return Promise.resolve(outcomes[seen.length - 1] ?? DONE);
  });
  const calls: Call[] = [
    { type: 'propose', command: Uint8Array.of(1, 2, 3) },
    { type: 'changeMembership', voters: [nodeId(1), nodeId(2)] },
    { type: 'transferLeader', to: null },
  ];
  for (const [i, call] of calls.entries()) {
    expect(await one.transport.call(nodeId(2), call, LONG_MS)).toEqual(outcomes[i]);
  }
  expect(seen).toEqual(calls);
});

test('answers may come in any order', async () => {
  const answers = new Map<Call, (outcome: CallOutcome) => void>();
  const [one] = await linkedPair((call) => new Promise((resolve) => answers.set(call, resolve)));
  const asked = [1, 2, 3].map((node) =>
    one.transport.call(nodeId(2), { type: 'removeLearner', node: nodeId(node) }, LONG_MS),
  );
  await until(() => expect(answers.size).toBe(3));
  for (const [call, answer] of [...answers].reverse()) {
    answer({ type: 'unknown', message: call.type === 'removeLearner' ? `node ${call.node}` : '' });
  }
  expect(await Promise.all(asked)).toEqual(
    [1, 2, 3].map((node) => ({ type: 'unknown', message: `node ${node}` })),
  );
});

test('a node is called over the connection that it has opened, too', async () => {
  const [, two] = await linkedPair(never);
  expect(await two.transport.call(nodeId(1), CALL, LONG_MS)).toEqual(DONE);
});

test('without a connection a call is definitely not sent', async () => {
  const one = await TestPeer.start({ node: 1 });
  expect(await one.transport.call(nodeId(2), CALL, LONG_MS)).toEqual({
    type: 'refused',
    error: { type: 'noLink', message: 'there is no connection to node 2' },
  });
});

test('a call that is not answered in time is unknown, and its late answer is ignored', async () => {
  const answers: ((outcome: CallOutcome) => void)[] = [];
  const [one] = await linkedPair(() => new Promise((resolve) => answers.push(resolve)));
  expect(await one.transport.call(nodeId(2), CALL, 1)).toEqual({
    type: 'unknown',
    message: 'no answer within 1 ms',
  });
  await until(() => expect(answers).toHaveLength(1));
  const next = one.transport.call(nodeId(2), CALL, LONG_MS);
  await until(() => expect(answers).toHaveLength(2));
  answers[0]?.({ type: 'unknown', message: 'late' });
  answers[1]?.(DONE);
  expect(await next).toEqual(DONE);
});

test('a call whose connection breaks is unknown', async () => {
  const [one, two] = await linkedPair(never);
  const outcome = one.transport.call(nodeId(2), CALL, LONG_MS);
  await two.stop();
  expect(await outcome).toMatchObject({
    type: 'unknown',
    message: expect.stringMatching(/the connection to node 2 broke/),
  });
});

test('a call in flight when the transport stops is unknown', async () => {
  const [one] = await linkedPair(never);
  const outcome = one.transport.call(nodeId(2), CALL, LONG_MS);
  await one.stop();
  expect(await outcome).toEqual({ type: 'unknown', message: 'this node is stopping' });
});

test('an answer in flight reaches a node that was removed meanwhile', async () => {
  const answers: ((outcome: CallOutcome) => void)[] = [];
  const [one, two] = await linkedPair(() => new Promise((resolve) => answers.push(resolve)), {
    unlistedLingerMs: LONG_MS,
  });
  const outcome = one.transport.call(nodeId(2), CALL, LONG_MS);
  await until(() => expect(answers).toHaveLength(1));
  two.know(two);
  answers[0]?.(DONE);
  expect(await outcome).toEqual(DONE);
});

test('more calls than may be in flight are refused, by either end', async () => {
  const [one, two] = await linkedPair(never, { maxCallsPerLink: 2 });
  for (const _ of [1, 2]) void one.transport.call(nodeId(2), CALL, LONG_MS);
  expect(await one.transport.call(nodeId(2), CALL, LONG_MS)).toEqual({
    type: 'refused',
    error: { type: 'overloaded' },
  });
  // A caller with other limits meets the limit of the called node.
  const three = await TestPeer.start({ node: 3 });
  three.know(two);
  await three.linked(2, 'dialled');
  const outcomes = [1, 2, 3].map(() => three.transport.call(nodeId(2), CALL, LONG_MS));
  expect(await outcomes[2]).toEqual({ type: 'refused', error: { type: 'overloaded' } });
});

test('a command that fits no frame is refused before it is sent', async () => {
  const [one] = await linkedPair(never, { maxFrameBytes: 1000 });
  const command = new Uint8Array(1000);
  expect(await one.transport.call(nodeId(2), { type: 'propose', command }, LONG_MS)).toEqual({
    type: 'refused',
    error: { type: 'tooLarge', maxBytes: 936 },
  });
  const [two] = await linkedPair(() => Promise.resolve(DONE), { maxFrameBytes: 1000 });
  const largest = { type: 'propose', command: new Uint8Array(936) } as const;
  expect(await two.transport.call(nodeId(2), largest, LONG_MS)).toEqual(DONE);
});

test('calls to a node that reads nothing are refused once its queue is full', async () => {
  const one = await TestPeer.start({ node: 1, limits: { maxQueuedBytes: 100_000 } });
  const slow = await upgradeRaw(one, 2);
  slow.pause();
  await one.linked(2, 'accepted');
  const propose: Call = { type: 'propose', command: new Uint8Array(50_000) };
  await until(async () => {
    const outcome = await Promise.race([one.transport.call(nodeId(2), propose, LONG_MS), null]);
    expect(outcome).toEqual({ type: 'refused', error: { type: 'overloaded' } });
  });
});
