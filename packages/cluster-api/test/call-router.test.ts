import { version } from '@metad/kv-store';
import { EMPTY_MEMBERSHIP, logIndex, type NodeId, nodeId, term } from '@metad/raft-core';
import { beforeEach, describe, expect, test } from 'vitest';
import type { Call, CallError, CallOutcome } from '../src/consensus/call.ts';
import { CallRouter } from '../src/consensus/call-router.ts';
import { ConsensusMetrics } from '../src/consensus/metrics.ts';
import type { NodeState } from '../src/consensus/node-state.ts';

const call: Call = { type: 'propose', command: new Uint8Array() };
const logId = { term: term(1), leader: nodeId(1), index: logIndex(5) };
const result = { type: 'applied', version: version(3) } as const;
const done: CallOutcome = { type: 'done', logId, result, membership: EMPTY_MEMBERSHIP };
const unknown: CallOutcome = { type: 'unknown', message: 'the link broke' };

function refused(error: CallError): CallOutcome {
  return { type: 'refused', error };
}

/** What each attempt meets: the leader that this node knows then, and that leader's answer. */
interface Attempt {
  readonly leader: NodeId | null;
  readonly outcome?: CallOutcome;
}

let sent: NodeId[];
let appliedHere: number[];
/** Tells the router that a node leads now. */
let announce: (leader: NodeId) => void;
/** What the leader is asked for stays without an answer. */
let hangs: boolean;

beforeEach(() => {
  sent = [];
  appliedHere = [];
  hangs = false;
});

/** Node 1, in a world that goes on by one attempt whenever the router waits. */
function router(
  attempts: readonly Attempt[],
  leaderWaitMs = 10_000,
  stopsAfter = Infinity,
  catchesUp = true,
): CallRouter {
  let now = 0;
  const attempt = () => attempts[Math.min(now, attempts.length - 1)] ?? { leader: null };
  const answer = (leader: NodeId) => {
    sent.push(leader);
    if (hangs) return new Promise<CallOutcome>(() => undefined);
    return Promise.resolve(attempt().outcome ?? refused({ type: 'forwardToLeader', leader: null }));
  };
  const node = {
    id: nodeId(1),
    get isStopped() {
      return now >= stopsAfter;
    },
    get state() {
      return {
        role: 'follower',
        term: 1,
        leader: attempt().leader,
        caughtUp: true,
        isRemoved: false,
        quarantine: null,
      } as const;
    },
    onState: (listener: (state: NodeState, last: NodeState) => void) => {
      announce = (leader) => listener({ ...node.state, term: 2, leader }, node.state);
    },
    until: () => {
      now += 1;
      return Promise.resolve(false);
    },
    appliedHere: (index: number) => {
      appliedHere.push(index);
      return Promise.resolve(catchesUp);
    },
  };
  return new CallRouter({
    node,
    leaderCalls: { execute: () => answer(nodeId(1)) },
    transport: { call: (to) => answer(to) },
    metrics: new ConsensusMetrics('test'),
    tickMs: 1,
    maxOpenCalls: 100,
    maxOpenBytes: 100,
    leaderWaitMs,
    proposeTimeoutMs: 10_000,
    membershipTimeoutMs: 10_000,
  });
}

describe('a call', () => {
  test('is carried out here when this node leads', async () => {
    expect(await router([{ leader: nodeId(1), outcome: done }]).execute(call)).toBe(done);
    expect([sent, appliedHere]).toEqual([[1], []]);
  });

  test('that another node carries out is answered once this node has applied it, too', async () => {
    expect(await router([{ leader: nodeId(2), outcome: done }]).execute(call)).toBe(done);
    expect([sent, appliedHere]).toEqual([[2], [5]]);
  });

  test('waits for a leader, and follows it when it has moved', async () => {
    const attempts = [
      { leader: null },
      { leader: nodeId(2), outcome: refused({ type: 'noLink', message: 'no connection' }) },
      { leader: nodeId(2), outcome: refused({ type: 'forwardToLeader', leader: nodeId(3) }) },
      { leader: nodeId(3), outcome: done },
    ];
    expect(await router(attempts).execute(call)).toBe(done);
    expect(sent).toEqual([2, 2, 3]);
  });

  test('that may have been taken is never sent again', async () => {
    const attempts = [
      { leader: nodeId(2), outcome: unknown },
      { leader: nodeId(3), outcome: done },
    ];
    expect(await router(attempts).execute(call)).toBe(unknown);
    expect(sent).toEqual([2]);
  });

  test.each<CallError>([
    { type: 'overloaded' },
    { type: 'emptyMembership' },
    { type: 'inProgress', change: logId },
    { type: 'unreachable', message: 'node 4 does not answer' },
  ])('that the leader refuses as %j is not sent again', async (error) => {
    expect(await router([{ leader: nodeId(2), outcome: refused(error) }]).execute(call)).toEqual(
      refused(error),
    );
    expect(sent).toEqual([2]);
  });

  test('to a leader that hangs is unknown once another leads', async () => {
    hangs = true;
    const outcome = router([{ leader: nodeId(2) }]).execute(call);
    announce(nodeId(2));
    announce(nodeId(3));
    expect(await outcome).toEqual({ type: 'unknown', message: 'node 2 has lost the lead meanwhile' });
  });

  test('that this node can not show yet is not answered as done', async () => {
    const lagging = router([{ leader: nodeId(2), outcome: done }], 10_000, Infinity, false);
    expect(await lagging.execute(call)).toMatchObject({
      type: 'unknown',
      message: expect.stringContaining('committed'),
    });
  });

  test('that comes after the router was closed is refused, and one that is open goes on', async () => {
    const closing = router([{ leader: null }, { leader: nodeId(2), outcome: done }]);
    const open = closing.execute(call);
    closing.close();
    expect(await closing.execute(call)).toEqual(refused({ type: 'stopping' }));
    expect(await open).toBe(done);
  });

  test('ends at once when this node stops', async () => {
    const outcome = await router([{ leader: null }], 10_000, 3).execute(call);
    expect(outcome).toEqual(refused({ type: 'stopping' }));
  });

  test('without a leader is refused when the time to look for one is over', async () => {
    const outcome = await router([{ leader: null }], 0).execute(call);
    expect(outcome).toEqual(refused({ type: 'forwardToLeader', leader: null }));
  });
});

test('calls that have ended are counted, and those that failed are not open any more', async () => {
  const metrics = new ConsensusMetrics('test');
  const outcomes = [Promise.resolve(done), Promise.resolve(done), Promise.reject(new Error('broken'))];
  const calls = new CallRouter({
    node: {
      id: nodeId(1),
      isStopped: false,
      state: {
        role: 'leader',
        term: 1,
        leader: nodeId(1),
        caughtUp: true,
        isRemoved: false,
        quarantine: null,
      },
      onState: () => undefined,
      until: () => Promise.resolve(false),
      appliedHere: () => Promise.resolve(true),
    },
    leaderCalls: { execute: () => outcomes.shift() ?? Promise.resolve(unknown) },
    transport: { call: () => Promise.resolve(unknown) },
    metrics,
    tickMs: 1,
    maxOpenCalls: 1,
    maxOpenBytes: 100,
    leaderWaitMs: 1,
    proposeTimeoutMs: 1_000,
    membershipTimeoutMs: 1_000,
  });
  const first = calls.execute(call);
  expect(calls.openCalls).toBe(1);
  expect(await calls.execute(call)).toEqual(refused({ type: 'overloaded' }));
  expect([await first, await calls.execute(call)]).toEqual([done, done]);
  await expect(calls.execute(call)).rejects.toThrow('broken');
  expect(calls.openCalls).toBe(0);
  expect(await calls.execute(call)).toBe(unknown);
  const lines = metrics.calls.text().split('\n');
  expect(lines).toContain('metad_calls_total{type="propose",outcome="done"} 2');
  expect(lines).toContain('metad_calls_total{type="propose",outcome="unknown"} 1');
});

test('writes that wait for a leader are bounded by their bytes; one alone may have more', async () => {
  const calls = router([{ leader: null }, { leader: nodeId(1), outcome: done }]);
  const write = (bytes: number) => calls.execute({ type: 'propose', command: new Uint8Array(bytes) });
  const large = write(1000);
  expect(await write(1)).toEqual(refused({ type: 'overloaded' }));
  expect(await large).toBe(done);
  const both = [write(60), write(40)];
  expect(await write(1)).toEqual(refused({ type: 'overloaded' }));
  expect(await Promise.all(both)).toEqual([done, done]);
});
