import type { NodeId } from '@metad/raft-core';

// What to do about a node that its peers refuse, as requests to the cluster port of any member.

/** For a node that listens elsewhere than its membership record says. */
export function moveAdvice(node: NodeId): string {
  return `correct the address of node ${node} with POST /add-learner [${node}, "HOST:PORT"]`;
}

/** For a member whose data directory is gone, or another one. */
export function replaceAdvice(node: NodeId): string {
  return (
    `remove node ${node} with POST /change-membership (the list of voters without it) or POST /remove-learner ${node}; ` +
    `then ${addAdvice(node)}`
  );
}

/** For a node that was a member: its data directory is as good as it was, unless another one has its id now. */
export function addAgainAdvice(node: NodeId): string {
  return `if nobody else has its id, add it again with POST /add-learner [${node}, "HOST:PORT"]`;
}

/** For what is no member. */
export function addAdvice(node: NodeId): string {
  return `start it with --standby and an empty data directory, and add it with POST /add-learner [${node}, "HOST:PORT"]`;
}
