import type { NodeId } from './ids.ts';
import { becomeFollower } from './role.ts';
import { effectiveMembership, envelope, type LeaderState, type RaftState, sendEarly } from './state.ts';

export type TransferResult =
  | { readonly type: 'started'; readonly to: NodeId }
  | { readonly type: 'notLeader'; readonly leader: NodeId | null }
  /** No such voter, or no voter but this node. */
  | { readonly type: 'noTarget' };

/**
 * Brings the target up to date, takes no proposals meanwhile, then tells it to campaign at once (thesis §3.10). Gives
 * up after an election timeout.
 */
export function startTransfer(state: RaftState, leader: LeaderState, to: NodeId | null): TransferResult {
  const target = chooseTarget(state, leader, to);
  if (target === undefined) return { type: 'noTarget' };
  const leaving = leader.transfer?.leaving ?? false;
  if (leader.transfer?.to !== target) leader.transfer = { to: target, leaving, elapsedTicks: 0 };
  sendTimeoutNow(state, leader);
  return { type: 'started', to: target };
}

/** A leader that a committed change has removed hands over, and steps down in any case (paper §6). */
export function startLeaving(state: RaftState, leader: LeaderState): void {
  if (leader.transfer?.leaving === true) return;
  const to = chooseTarget(state, leader, null);
  if (to === undefined) {
    becomeFollower(state, { term: state.term, leader: null });
    return;
  }
  leader.transfer = { to, leaving: true, elapsedTicks: 0 };
  sendTimeoutNow(state, leader);
}

/** Of the voters that stay: the one asked for, or the one that has most of the log, those heard of lately first. */
function chooseTarget(state: RaftState, { peers }: LeaderState, to: NodeId | null): NodeId | undefined {
  const voters = (effectiveMembership(state).configs.at(-1) ?? []).filter((node) => peers.has(node));
  if (to !== null) return voters.find((node) => node === to);
  const rank = (node: NodeId) => peers.get(node);
  return voters.reduce<NodeId | undefined>((best, node) => {
    const [one, other] = [best === undefined ? undefined : rank(best), rank(node)];
    if (one === undefined || other === undefined) return node;
    if (one.recentlyActive !== other.recentlyActive) return other.recentlyActive ? node : best;
    return other.matched > one.matched ? node : best;
  }, undefined);
}

/** Once the target has the whole log. Sent again with each heartbeat, for it may be lost. */
export function sendTimeoutNow(state: RaftState, leader: LeaderState): void {
  const { transfer } = leader;
  if (transfer === null || leader.peers.get(transfer.to)?.matched !== state.log.last.index) return;
  sendEarly(state, { ...envelope(state, transfer.to), type: 'timeoutNow' });
  if (transfer.leaving) becomeFollower(state, { term: state.term, leader: null });
}

export function tickTransfer(state: RaftState, leader: LeaderState): void {
  const { transfer } = leader;
  if (transfer === null) return;
  transfer.elapsedTicks += 1;
  if (transfer.elapsedTicks < state.config.electionTimeoutTicks) return;
  leader.transfer = null;
  if (transfer.leaving) becomeFollower(state, { term: state.term, leader: null });
}
