import { hash } from 'node:crypto';
import type { Entry, LogId, StoredMembership } from '@metad/raft-core';
import type { Change } from './change.ts';
import type { WriteResult } from './command.ts';
import {
  decodeMembership,
  encodeHeader,
  encodeMembership,
  encodePayload,
  PAYLOAD_TYPE,
} from './entry-codec.ts';
import { logIdFromRow } from './log-id-row.ts';
import { type Version, version } from './version.ts';

/** Where a state machine stands: everything in it but the rows of its trees and rules. */
export interface Position {
  /** The last entry applied. */
  readonly applied: LogId;
  readonly version: Version;
  /** The last membership applied. */
  readonly membership: StoredMembership;
  /** SHA-256 over the digest before it and the last entry applied: it stands for all entries from the first on. */
  readonly digest: Buffer;
  /** What commands may be in the log from here on, and what they mean. Never falls. */
  readonly featureLevel: number;
  /** Of the last write, in milliseconds since 1970. Never falls. */
  readonly time: number;
  /** What was set before this version was set by something that recorded no version: by this one, at the latest. */
  readonly versionFloor: Version;
  /** The changes after this version are in the history. */
  readonly historyStart: Version;
}

/** What an entry did to the state besides its rows. */
export interface Effect {
  readonly result: WriteResult;
  readonly changes: readonly Change[];
  /** Where the command moves the position to; what is absent stays. */
  readonly moves: Partial<Omit<Position, 'applied' | 'membership' | 'digest'>>;
}

/** The position after one more entry. */
export function follow(before: Position, entry: Entry, moves: Effect['moves']): Position {
  const { term, leader, index, payload } = entry;
  const applied = { term, leader, index };
  const header = encodeHeader(applied, PAYLOAD_TYPE[payload.type]);
  return {
    applied,
    version: moves.version ?? before.version,
    featureLevel: moves.featureLevel ?? before.featureLevel,
    time: moves.time ?? before.time,
    versionFloor: moves.versionFloor ?? before.versionFloor,
    historyStart: moves.historyStart ?? before.historyStart,
    membership:
      payload.type === 'membership' ? { logId: applied, membership: payload.membership } : before.membership,
    digest: hash('sha256', Buffer.concat([before.digest, header, encodePayload(payload)]), 'buffer'),
  };
}

/** The row of the table `state`, in the order of the columns in the statements below. */
export type PositionRow = [
  appliedTerm: number,
  appliedLeader: number,
  appliedIndex: number,
  version: number,
  digest: Buffer,
  membershipTerm: number,
  membershipLeader: number,
  membershipIndex: number,
  membership: string,
  featureLevel: number,
  time: number,
  versionFloor: number,
  historyStart: number,
];

export const READ_POSITION = `SELECT applied_term, applied_leader, applied_index, version, digest,
  membership_term, membership_leader, membership_index, membership, feature_level,
  time, version_floor, history_start FROM state`;

/** The same of a state of any format, which lacks what came later. */
export const READ_ANY_POSITION = `SELECT applied_term, applied_leader, applied_index, version, digest,
  membership_term, membership_leader, membership_index, membership, 1, 0, 0, 0 FROM state`;

export const SAVE_POSITION = `UPDATE state SET applied_term = ?, applied_leader = ?, applied_index = ?, version = ?,
  digest = ?, membership_term = ?, membership_leader = ?, membership_index = ?, membership = ?,
  feature_level = ?, time = ?, version_floor = ?, history_start = ?`;

export function encodePosition(position: Position): PositionRow {
  const { applied, version, digest, membership, featureLevel, time, versionFloor, historyStart } = position;
  const { logId } = membership;
  const text = JSON.stringify(encodeMembership(membership.membership));
  return [
    ...([applied.term, applied.leader, applied.index, version, digest] as const),
    ...([logId.term, logId.leader, logId.index, text] as const),
    ...([featureLevel, time, versionFloor, historyStart] as const),
  ];
}

/** Throws when the row is none that `encodePosition` made. */
export function decodePosition(row: PositionRow): Position {
  const [appliedTerm, appliedLeader, appliedIndex, found, digest, ...stored] = row;
  const [membershipTerm, membershipLeader, membershipIndex, membership, ...recorded] = stored;
  const [featureLevel, time, versionFloor, historyStart] = recorded;
  return {
    applied: logIdFromRow([appliedTerm, appliedLeader, appliedIndex]),
    version: version(found),
    digest,
    membership: {
      logId: logIdFromRow([membershipTerm, membershipLeader, membershipIndex]),
      membership: decodeMembership(JSON.parse(membership)),
    },
    featureLevel,
    time,
    versionFloor: version(versionFloor),
    historyStart: version(historyStart),
  };
}
