import { compareLogId, type LogId } from '@metad/raft-core';
import { moveAdvice } from './repair-advice.ts';
import type { PeerIdentity, RefusedPeer } from './transport.ts';

/** What a membership says about the data directory of a node. */
export interface ExpectedInstance {
  /** Undefined while nobody has recorded it. */
  readonly instance: string | undefined;
  /** The log id of the membership that says so: the one in effect. */
  readonly membership: LogId;
}

/**
 * Whether a peer runs on the data directory that is meant by its id. A peer that knows a later membership to be
 * committed knows better: whoever was away while that directory was replaced would refuse the new one for ever, and
 * with it the log that says so. A directory that was replaced knows only earlier ones, and an empty one knows none.
 */
export function isMeant(
  peer: Pick<PeerIdentity, 'instance' | 'membership'>,
  expected: ExpectedInstance,
): boolean {
  if (expected.instance === undefined || expected.instance === peer.instance) return true;
  return compareLogId(peer.membership, expected.membership) > 0;
}

/**
 * Refuses a dialler whose data directory is in use by another process, to which this node has a connection at the
 * address in the membership: one of them is a copy, and both would vote. Null: no such process is known.
 */
export function judgeRun(
  dialler: PeerIdentity,
  atAddress: PeerIdentity | undefined,
  addr: string | undefined,
): RefusedPeer | null {
  if (atAddress === undefined || atAddress.instance !== dialler.instance || atAddress.run === dialler.run)
    return null;
  const { node } = dialler;
  const reason =
    `node ${node} runs twice: at ${addr}, and here on a copy of its data directory; end this process and remove the ` +
    `copy, or, to move the node here, end the other one and ${moveAdvice(node)}`;
  return { type: 'refused', reason, without: null };
}
