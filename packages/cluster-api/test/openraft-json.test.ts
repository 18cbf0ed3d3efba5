import { logIndex, nodeId, type RaftStatus, term } from '@metad/raft-core';
import { describe, expect, test } from 'vitest';
import {
  type BigJson,
  callAnswer,
  metricsAnswer,
  stringifyBigJson,
} from '../src/cluster-http/openraft-json.ts';
import { QuorumContact } from '../src/consensus/quorum-contact.ts';

const logId = { term: term(3), leader: nodeId(1), index: logIndex(9) };
const membership = {
  configs: [[nodeId(1), nodeId(2)]],
  nodes: new Map([
    [nodeId(1), { addr: '127.0.0.1:21001', instance: 'a' }],
    [nodeId(2), { addr: '127.0.0.1:21002' }],
  ]),
};

function parse(json: BigJson): unknown {
  return JSON.parse(stringifyBigJson(json));
}

describe('JSON with large integers', () => {
  test('keeps every digit and is otherwise plain JSON', () => {
    const value = {
      at: 1766401699240929138n,
      list: [1, 'a"\n', null, true, { 'k"': 2n }],
      empty: {},
      none: [],
    };
    expect(stringifyBigJson(value)).toBe(
      '{"at":1766401699240929138,"list":[1,"a\\"\\n",null,true,{"k\\"":2}],"empty":{},"none":[]}',
    );
  });
});

describe('the answer to a cluster call', () => {
  const addressOf = (node: number) => (node === 2 ? '127.0.0.1:21002' : null);

  test('shows log id and membership, without the instances', () => {
    const outcome = {
      type: 'done',
      logId,
      result: { type: 'applied', version: 4 as never },
      membership,
    } as const;
    expect(parse(callAnswer(outcome, addressOf))).toEqual({
      Ok: {
        log_id: { leader_id: { term: 3, node_id: 1 }, index: 9 },
        data: { value: null },
        membership: {
          configs: [[1, 2]],
          nodes: { 1: { addr: '127.0.0.1:21001' }, 2: { addr: '127.0.0.1:21002' } },
        },
      },
    });
  });

  test.each([
    [
      { type: 'forwardToLeader', leader: nodeId(2) },
      { ForwardToLeader: { leader_id: 2, leader_node: { addr: '127.0.0.1:21002' } } },
    ],
    [{ type: 'forwardToLeader', leader: null }, { ForwardToLeader: { leader_id: null, leader_node: null } }],
    [
      { type: 'inProgress', change: logId },
      { ChangeMembershipError: { InProgress: { membership_log_id: { index: 9 } } } },
    ],
    [{ type: 'emptyMembership' }, { ChangeMembershipError: { EmptyMembership: {} } }],
    [
      { type: 'learnerNotFound', node: nodeId(7) },
      { ChangeMembershipError: { LearnerNotFound: { node_id: 7 } } },
    ],
  ] as const)('names the refusal %j as openraft does', (error, shown) => {
    expect(parse(callAnswer({ type: 'refused', error }, addressOf))).toMatchObject({
      Err: { APIError: shown },
    });
  });
});

describe('metrics', () => {
  const status: RaftStatus = {
    id: nodeId(1),
    instance: undefined,
    role: 'leader',
    term: term(3),
    votedFor: nodeId(1),
    leader: nodeId(1),
    lastLog: logId,
    committed: logId.index,
    applied: logId.index,
    persisted: logId.index,
    compacted: { term: term(0), leader: 0 as never, index: logIndex(0) },
    membership: { logId, membership },
    committedMembership: { logId, membership },
    peers: new Map([
      [nodeId(1), { matched: logIndex(9), next: logIndex(10), state: 'replicate', recentlyActive: true }],
      [nodeId(2), { matched: logIndex(0), next: logIndex(1), state: 'probe', recentlyActive: false }],
    ]),
    transferTo: null,
    firstIndex: logId.index,
    timers: {
      electionTimeoutTicks: 10,
      electionElapsedTicks: 0,
      quorumCheckElapsedTicks: 0,
      transferElapsedTicks: 0,
    },
  };
  const answer = (now: RaftStatus, contact = new QuorumContact()) =>
    parse(
      metricsAnswer({
        status: now,
        identity: { cluster: 'a cluster', instance: 'one' },
        applied: logId,
        snapshot: null,
        logIdOf: (index) => (index === 9 ? logId : undefined),
        contact,
        isRemoved: false,
        featureLevel: { present: 1, max: 2 },
      }),
    );

  test('a leader shows times and matched logs, at top level and inside Ok', () => {
    const shown = answer(status) as { Ok: Record<string, unknown>; heartbeat: unknown; replication: unknown };
    expect(shown.Ok).toMatchObject({
      cluster: 'a cluster',
      instance: 'one',
      instances: { 1: 'a', 2: null },
    });
    expect(shown.Ok).toMatchObject({ removed: false, feature_level: 1, max_feature_level: 2 });
    expect(shown.Ok).toMatchObject({ state: 'Leader', current_leader: 1, snapshot: null, purged: null });
    expect(shown.heartbeat).toMatchObject({ 1: expect.any(Number), 2: null });
    expect(shown.replication).toEqual({ 1: { leader_id: { term: 3, node_id: 1 }, index: 9 }, 2: null });
    expect(shown.Ok.heartbeat).toEqual(shown.heartbeat);
  });

  test('without a quorum heard there is no time of a quorum', () => {
    expect(answer(status)).toMatchObject({ Ok: { last_quorum_acked: null, millis_since_quorum_ack: null } });
  });

  test('a quorum counts from the majority-th contact', () => {
    const contact = new QuorumContact();
    contact.observe({ type: 'heartbeatResponse', from: nodeId(2), to: nodeId(1), term: term(3), round: 1 });
    expect(answer(status, contact)).toMatchObject({ Ok: { last_quorum_acked: expect.any(Number) } });
  });

  test('a follower shows none of them', () => {
    const shown = answer({ ...status, role: 'follower', leader: nodeId(2) });
    expect(shown).toMatchObject({
      heartbeat: null,
      replication: null,
      Ok: { state: 'Follower', current_leader: 2 },
    });
  });
});
