import { version, type WriteResult } from '@metad/kv-store';
import {
  type Entry,
  type InstallSnapshot,
  type LogId,
  logIndex,
  type Membership,
  type Message,
  type NodeId,
  nodeId,
  type Payload,
  type SnapshotMeta,
  term,
} from '@metad/raft-core';
import fc from 'fast-check';
import type { Call, CallError, CallOutcome } from '../src/consensus/call.ts';
import type { DigestMark } from '../src/consensus/digest-check.ts';
import type { SnapshotFrame } from '../src/peers/snapshot-frame.ts';

/** Small numbers and the edges of each width in which msgpack writes them. */
const integer = fc.oneof(
  fc.nat(300),
  fc.constantFrom(
    0x7f,
    0x80,
    0xff,
    0x100,
    0xffff,
    0x10000,
    0xffff_ffff,
    0x1_0000_0000,
    Number.MAX_SAFE_INTEGER,
  ),
  fc.maxSafeNat(),
);

export const nodeIds: fc.Arbitrary<NodeId> = integer.map((value) => nodeId(Math.max(1, value)));
const terms = integer.map(term);
/** Leaves room for entries behind. */
const indexes = integer.map((value) => logIndex(Math.min(value, Number.MAX_SAFE_INTEGER - 100)));

export const logIds: fc.Arbitrary<LogId> = fc.record({ term: terms, leader: nodeIds, index: indexes });

export const memberships: fc.Arbitrary<Membership> = fc.record({
  configs: fc.array(fc.array(nodeIds, { maxLength: 4 }), { maxLength: 2 }),
  nodes: fc
    .array(
      fc.tuple(
        nodeIds,
        fc.record(
          { addr: fc.string({ unit: 'binary', maxLength: 30 }), instance: fc.string({ maxLength: 40 }) },
          { requiredKeys: ['addr'] },
        ),
      ),
      { maxLength: 20 },
    )
    .map((nodes) => new Map(nodes)),
});

const payloads: fc.Arbitrary<Payload> = fc.oneof(
  fc.record({ type: fc.constant('command' as const), data: fc.uint8Array({ maxLength: 400 }) }),
  fc.record({ type: fc.constant('membership' as const), membership: memberships }),
  fc.constant<Payload>({ type: 'blank' }),
);

const envelope = { from: nodeIds, to: nodeIds, term: terms };
const reads = fc.array(integer, { maxLength: 40 });

/** A log tail as a leader sends it: contiguous, of terms that never fall and never pass the message's own. */
const appends: fc.Arbitrary<Message> = fc
  .record({
    from: nodeIds,
    to: nodeIds,
    previous: logIds,
    added: fc.array(fc.record({ terms: fc.nat(3), leader: nodeIds, payload: payloads }), { maxLength: 12 }),
    committed: indexes,
    round: integer,
  })
  .map(({ from, to, added, committed, round, ...rest }) => {
    const previous = {
      ...rest.previous,
      term: term(Math.min(rest.previous.term, Number.MAX_SAFE_INTEGER - 100)),
    };
    const entries: Entry[] = [];
    let last: LogId = previous;
    for (const { terms: later, leader, payload } of added) {
      const entry: Entry = {
        term: term(last.term + later),
        leader,
        index: logIndex(last.index + 1),
        payload,
      };
      entries.push(entry);
      last = entry;
    }
    return { type: 'appendEntries', from, to, term: last.term, previous, entries, committed, round };
  });

const metas: fc.Arbitrary<SnapshotMeta> = fc.record({
  last: logIds,
  membership: memberships,
  membershipLogId: logIds,
});

const installs: fc.Arbitrary<InstallSnapshot> = fc.record({
  type: fc.constant('installSnapshot' as const),
  ...envelope,
  snapshot: metas,
  round: integer,
});

export const messages: fc.Arbitrary<Message> = fc.oneof(
  appends,
  fc.record({ type: fc.constant('requestPreVote' as const), ...envelope, lastLog: logIds }),
  fc.record({ type: fc.constant('requestPreVoteResponse' as const), ...envelope, granted: fc.boolean() }),
  fc.record({
    type: fc.constant('requestVote' as const),
    ...envelope,
    lastLog: logIds,
    transfer: fc.boolean(),
  }),
  fc.record({ type: fc.constant('requestVoteResponse' as const), ...envelope, granted: fc.boolean() }),
  fc.record({
    type: fc.constant('appendEntriesResponse' as const),
    ...envelope,
    result: fc.oneof(
      fc.record({ type: fc.constant('accepted' as const), matched: indexes }),
      fc.record({ type: fc.constant('rejected' as const), rejected: indexes, hint: logIds }),
    ),
    round: integer,
  }),
  fc.record({ type: fc.constant('heartbeat' as const), ...envelope, committed: indexes, round: integer }),
  fc.record({ type: fc.constant('heartbeatResponse' as const), ...envelope, round: integer }),
  installs,
  fc.record({ type: fc.constant('timeoutNow' as const), ...envelope }),
  fc.record({ type: fc.constant('readIndexRequest' as const), ...envelope, reads }),
  fc.record({
    type: fc.constant('readIndexResponse' as const),
    ...envelope,
    reads,
    index: fc.option(indexes),
  }),
);

export const digestMarks: fc.Arbitrary<DigestMark> = fc.record({
  index: fc.maxSafeNat().map(logIndex),
  digest: fc.uint8Array({ minLength: 32, maxLength: 32 }).map((bytes) => Buffer.from(bytes).toString('hex')),
});

export const snapshotFrames: fc.Arbitrary<SnapshotFrame> = fc.oneof(
  fc.record({
    type: fc.constant('offer' as const),
    id: integer,
    term: terms,
    meta: metas,
    bytes: integer,
    checksum: fc.uint8Array({ minLength: 32, maxLength: 32 }).map((b) => Buffer.from(b).toString('hex')),
  }),
  fc.record({
    type: fc.constant('chunk' as const),
    id: integer,
    offset: integer,
    bytes: fc.uint8Array({ maxLength: 400 }),
  }),
  fc.record({ type: fc.constant('finish' as const), id: integer, message: installs }),
  fc.record({ type: fc.constant('progress' as const), id: integer, offset: integer }),
  fc.record({ type: fc.constant('done' as const), id: integer }),
  fc.record({ type: fc.constant('refused' as const), id: integer, reason: fc.string() }),
);

export const calls: fc.Arbitrary<Call> = fc.oneof(
  fc.record({ type: fc.constant('propose' as const), command: fc.uint8Array({ maxLength: 400 }) }),
  fc.record({ type: fc.constant('addLearner' as const), node: nodeIds, addr: fc.string() }),
  fc.record({ type: fc.constant('removeLearner' as const), node: nodeIds }),
  fc.record({ type: fc.constant('changeMembership' as const), voters: fc.array(nodeIds) }),
  fc.record({ type: fc.constant('transferLeader' as const), to: fc.option(nodeIds) }),
);

const callErrors: fc.Arbitrary<CallError> = fc.oneof(
  fc.constantFrom<CallError>({ type: 'overloaded' }, { type: 'stopping' }, { type: 'emptyMembership' }),
  fc.record({ type: fc.constant('forwardToLeader' as const), leader: fc.option(nodeIds) }),
  fc.record({ type: fc.constant('noLink' as const), message: fc.string() }),
  fc.record({ type: fc.constantFrom('tooLarge' as const, 'stateFull' as const), maxBytes: integer }),
  fc.record({ type: fc.constant('inProgress' as const), change: logIds }),
  fc.record({ type: fc.constant('learnerNotFound' as const), node: nodeIds }),
  fc.record({ type: fc.constant('conflict' as const), message: fc.string() }),
  fc.record({ type: fc.constant('unreachable' as const), message: fc.string() }),
);

const versions = integer.map(version);
const writeResults: fc.Arbitrary<WriteResult> = fc.oneof(
  fc.record({ type: fc.constantFrom('applied', 'repeated', 'keyReused'), version: versions }),
  fc.record({ type: fc.constant('preconditionFailed' as const), version: versions, precondition: integer }),
);

export const callOutcomes: fc.Arbitrary<CallOutcome> = fc.oneof(
  fc.record({
    type: fc.constant('done' as const),
    logId: logIds,
    result: writeResults,
    membership: memberships,
  }),
  fc.record({ type: fc.constant('refused' as const), error: callErrors }),
  fc.record({ type: fc.constant('unknown' as const), message: fc.string() }),
);
