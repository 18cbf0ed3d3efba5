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
 * up after an election timeout; that of a leader who leaves runs on, whoever it is asked to hand over to.
 */
export function startTransfer(state: RaftState, leader: LeaderState, to: NodeId | null): TransferResult {
  const target = chooseTarget(state, leader, to);
  if (target === undefined) return { type: 'noTarget' };
  const { transfer } = leader;
  if (transfer?.leaving === true) leader.transfer = { ...transfer, to: target };
  else if (transfer?.to !== target) leader.transfer = { to: target, leaving: false, elapsedTicks: 0 };
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

/**
 * Of the voters that stay: the one asked for, or the one that has most of the log. By itself it takes none whose
 * answers have stopped (probed again after it had matched): the lead should not wait for a node that is gone.
 */
function chooseTarget(state: RaftState, { peers }: LeaderState, to: NodeId | null): NodeId | undefined {
  const voters = (effectiveMembership(state).configs.at(-1) ?? []).filter((node) => peers.has(node));
  if (to !== null) return voters.find((node) => node === to);
  const matched = (node: NodeId) => peers.get(node)?.matched ?? 0;
  const fed = voters.filter((node) => peers.get(node)?.flow.type === 'replicate');
  const notHeardYet = voters.filter((node) => matched(node) === 0);
  const choice = fed.length > 0 ? fed : notHeardYet;
  return choice.reduce<NodeId | undefined>(
    (best, node) => (best === undefined || matched(node) > matched(best) ? node : best),
    undefined,
  );
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
