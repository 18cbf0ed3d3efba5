import { isVoter, type Membership, type MembershipChange, type NodeId, voters } from '@metad/raft-core';
import { describeMembership } from './describe-message.ts';
import { TICK } from './event-queue.ts';
import { recordOf } from './memberships-seen.ts';
import type { SimulatedCluster } from './simulated-cluster.ts';
import type { SimulatedNode } from './simulated-node.ts';

/** Changes the membership all the time: adds, promotes, demotes, removes, replaces; moves the lead; swaps disks. */
export class Operator {
  readonly #cluster: SimulatedCluster;
  #active = true;
  /** The node that is to get a new disk next. */
  #renewal: SimulatedNode | null = null;

  constructor(cluster: SimulatedCluster) {
    this.#cluster = cluster;
    this.#repeat();
  }

  stop(): void {
    this.#active = false;
  }

  #repeat(): void {
    const { queue, random } = this.#cluster.world;
    queue.after(random.wait(this.#cluster.profile.operatorTicks * TICK), () => {
      if (!this.#active) return;
      this.#act();
      this.#repeat();
    });
  }

  #act(): void {
    const { random } = this.#cluster.world;
    if (random.chance(0.15)) this.#wipeSomeone();
    // Anyone who thinks that it leads, also one that is cut off and does not know of its successor.
    const leader = random.pick(
      this.#cluster.nodes.filter((node) => node.status?.role === 'leader' && !node.isPaused),
    );
    if (leader === undefined) return;
    if (random.chance(0.25)) this.#transfer(leader);
    else this.#change(leader);
  }

  #transfer(leader: SimulatedNode): void {
    const { random, coverage, trace } = this.#cluster.world;
    const to = random.chance(0.3) ? null : (random.pick(this.#cluster.nodes)?.id ?? null);
    const { type } = leader.input((raft) => raft.transferLeadership(to));
    trace.note(leader.name, () => `is asked to hand over to ${to ?? 'anyone'}: ${type}`);
    if (type === 'started') coverage.met('transfer started');
  }

  #change(leader: SimulatedNode): void {
    const membership = leader.status?.membership.membership;
    if (membership === undefined) return;
    const change = this.#drawChange(membership);
    // It may just have been given a new disk itself.
    if (change === null || !leader.isRunning) return;
    const { type } = leader.input((raft) => raft.proposeMembership(change));
    this.#cluster.world.trace.note(
      leader.name,
      () => `${JSON.stringify(change)} to ${describeMembership(membership)}: ${type}`,
    );
    if (type === 'appended' && change.type === 'setVoters') this.#maybeAbandon(leader);
  }

  /** Now and then whoever began a change of voters is lost half-way. */
  #maybeAbandon(leader: SimulatedNode): void {
    const { queue, random } = this.#cluster.world;
    if (!random.chance(0.4)) return;
    queue.after(random.below(2 * TICK), () => {
      if (this.#active && leader.isRunning) leader.crash({ powerLoss: random.chance(0.5) });
    });
  }

  #drawChange(membership: Membership): MembershipChange | null {
    const { random } = this.#cluster.world;
    if (this.#renewal !== null || random.chance(0.15)) return this.#renew(membership);
    const node = random.pick(this.#cluster.nodes);
    if (node === undefined) return null;
    if (this.#isOutdated(membership, node)) return { type: 'removeLearner', node: node.id };
    switch (random.below(5)) {
      case 0:
        return { type: 'removeLearner', node: node.id };
      case 1:
      case 2:
        return this.#drawVoters(membership);
      default:
        return { type: 'addLearner', node: node.id, record: recordOf(node.id, node.instance) };
    }
  }

  /** The next step of giving a node a new disk by the book: out of the voters, out of the members, wiped, added again. */
  #renew(membership: Membership): MembershipChange | null {
    const node = this.#renewal ?? this.#cluster.world.random.pick(this.#cluster.nodes);
    if (node === undefined) return null;
    this.#renewal = node;
    const { id } = node;
    if (isVoter(membership, id)) {
      const others = [...voters(membership)].filter((voter) => voter !== id);
      const learners = this.#usable(membership).filter((other) => other !== id && !others.includes(other));
      const next = others.length > 0 ? others : learners.slice(0, 1);
      if (next.length === 0) this.#renewal = null;
      return next.length === 0 ? null : { type: 'setVoters', voters: next };
    }
    if (membership.nodes.has(id)) return { type: 'removeLearner', node: id };
    if (this.#cluster.memberships.mayVote(id)) return null;
    this.#renewal = null;
    this.#wipe(node);
    return { type: 'addLearner', node: id, record: recordOf(id, node.instance) };
  }

  /** Promotes, demotes and replaces any number at once. Mostly enough of them to disagree. */
  #drawVoters(membership: Membership): MembershipChange | null {
    const { random } = this.#cluster.world;
    const chosen = random.subset(this.#usable(membership), 0.75);
    if (chosen.length < 3 && random.chance(0.7)) return null;
    return { type: 'setVoters', voters: chosen };
  }

  /** The members whose disks are those that the membership means: the others can't vote. */
  #usable(membership: Membership): NodeId[] {
    return [...membership.nodes.keys()].filter((id) => !this.#isOutdated(membership, this.#cluster.node(id)));
  }

  /** The disk that the membership means is gone: the node must leave before it can come again. */
  #isOutdated(membership: Membership, node: SimulatedNode): boolean {
    const record = membership.nodes.get(node.id);
    return record !== undefined && record.instance !== node.instance;
  }

  /** A disk dies. Not a voter's, by any membership that is or may come into effect: that would cost a vote for ever. */
  #wipeSomeone(): void {
    const { random } = this.#cluster.world;
    const victim = random.pick(
      this.#cluster.nodes.filter((node) => !this.#cluster.memberships.mayVote(node.id)),
    );
    if (victim !== undefined) this.#wipe(victim);
  }

  #wipe(victim: SimulatedNode): void {
    if (victim.isRunning) victim.crash({ powerLoss: true });
    victim.wipe();
    this.#cluster.world.coverage.met('disk wiped');
  }
}
