import { type Command, CommandFormatError, decodeCommand, stampTime } from '@metad/kv-store';
import { isVoter, type NodeId, type NodeRecord, type RaftStatus, unreachable } from '@metad/raft-core';
import type { IdentifyOutcome, PeerIdentity, PeerTransport, SupportedLevels } from '../peers/transport.ts';
import type { Call, CallError, CallOutcome } from './call.ts';
import type { Node } from './node.ts';
import type { StateQuota } from './state-quota.ts';

export interface LeaderCallsOptions {
  readonly node: Node;
  readonly transport: Pick<PeerTransport, 'identify'>;
  readonly clusterId: () => string | null;
  readonly maxEntryBytes: number;
  readonly quota: StateQuota;
  /** The feature level that a node which is added must know. */
  readonly requiredLevel: () => number;
  readonly identifyTimeoutMs: number;
  /** How long a change of membership may take, in ticks: new voters catch up first. */
  readonly membershipPatienceTicks: number;
}

/** Carries out calls on the node that leads; on any other node each is refused with whom it follows. */
export class LeaderCalls {
  readonly #options: LeaderCallsOptions;

  constructor(options: LeaderCallsOptions) {
    this.#options = options;
  }

  execute(call: Call): Promise<CallOutcome> {
    const { node, membershipPatienceTicks } = this.#options;
    switch (call.type) {
      case 'propose':
        return this.#propose(call.command);
      case 'addLearner':
        return this.#addLearner(call.node, call.addr);
      case 'removeLearner':
        return node.changeMembership({ type: 'removeLearner', node: call.node }, membershipPatienceTicks);
      case 'changeMembership':
        return this.#setVoters(call.voters);
      case 'transferLeader':
        return this.#transferLeader(call.to);
      default:
        return unreachable(call);
    }
  }

  /**
   * The same for a call that came from another node. What this release can't read must not get into the log: every node
   * would stop at it. Nor must a feature level: only the leader knows what all members know.
   */
  executeForwarded(call: Call): Promise<CallOutcome> {
    if (call.type !== 'propose') return this.execute(call);
    const { id } = this.#options.node;
    const command = readCommand(call.command);
    if (command === null) {
      return refuse({ type: 'conflict', message: `node ${id} can't read this command: upgrade it` });
    }
    if (command.type === 'setFeatureLevel') {
      return refuse({ type: 'conflict', message: 'only the leader itself raises the feature level' });
    }
    return this.execute(call);
  }

  #propose(command: Uint8Array): Promise<CallOutcome> {
    const { node, maxEntryBytes, quota } = this.#options;
    if (command.byteLength > maxEntryBytes) return refuse({ type: 'tooLarge', maxBytes: maxEntryBytes });
    // The leader's limit and clock count, not those of the node which the client happened to ask.
    const leads = node.state.leader === node.id;
    return leads && !quota.admits(command) ? this.#proposeRepeat(command) : this.#stampAndPropose(command);
  }

  #stampAndPropose(command: Uint8Array): Promise<CallOutcome> {
    const { node } = this.#options;
    if (node.state.leader === node.id) stampTime(command, Math.max(Date.now(), 1));
    return node.propose(command);
  }

  /** There is no room for a new write. What was done before needs none, and is answered as it was then. */
  async #proposeRepeat(command: Uint8Array): Promise<CallOutcome> {
    const { node, quota } = this.#options;
    const full: CallOutcome = { type: 'refused', error: { type: 'stateFull', maxBytes: quota.maxBytes } };
    const key = keyOf(decodeCommand(command));
    if (key === '') return full;
    if (node.hasRequest(key, Date.now())) return this.#stampAndPropose(command);
    // The first request may be in the log, and not applied yet.
    const isApplied = await node.appliedHere(node.status().lastLog.index);
    if (!isApplied) return { type: 'unknown', message: 'an earlier request with this key may be in flight' };
    return node.hasRequest(key, Date.now()) ? this.#stampAndPropose(command) : full;
  }

  /**
   * Adds a node, or gives a member its new address. Asks the address who it is first: a wrong address or a foreign disk
   * must never get into the membership.
   */
  async #addLearner(id: NodeId, addr: string): Promise<CallOutcome> {
    const { node, membershipPatienceTicks } = this.#options;
    if (node.state.leader !== node.id) return refuse({ type: 'forwardToLeader', leader: node.state.leader });
    const answer = await this.#identify(id, addr);
    if ('refusal' in answer) return refuse(answer.refusal);
    // An earlier leader may have raised the feature level: what was committed is applied here then.
    const barrier = await node.readBarrier();
    if (barrier.type === 'unavailable') return refuse({ type: 'unreachable', message: barrier.message });
    // Nothing may come between this look and the append: this leader might raise the level in between.
    const unfit = this.#judgeLevel(id, addr, answer.levels);
    if (unfit !== null) return refuse(unfit);
    const change = { type: 'addLearner', node: id, record: answer.found } as const;
    return node.changeMembership(change, membershipPatienceTicks);
  }

  /** A node whose release knows less than the cluster uses would stop at the entry that raised the level. */
  #judgeLevel(id: NodeId, addr: string, { known }: SupportedLevels): CallError | null {
    const required = this.#options.requiredLevel();
    if (known >= required) return null;
    const message =
      `node ${id} at ${addr} runs an older release: it knows feature levels up to ${known}, and this cluster is at ` +
      `level ${required}; start it with the release that the members run`;
    return { type: 'conflict', message };
  }

  async #identify(id: NodeId, addr: string): Promise<Identified | { refusal: CallError }> {
    const outcome = await this.#ask(addr);
    const { clusterId } = this.#options;
    if (outcome.type === 'failed') {
      const message = `node ${id} does not answer at ${addr} (${outcome.reason}): start it with --id ${id} --standby`;
      return { refusal: { type: 'unreachable', message } };
    }
    const { node, cluster, instance, levels } = outcome.identity;
    if (node !== id) return conflict(`the node at ${addr} has the id ${node}, not ${id}`);
    const twin = await this.#findTwin(outcome.identity, addr);
    if (twin !== null) {
      return conflict(
        `node ${id} runs twice, at ${twin} and at ${addr}, on one data directory and a copy of it: end one of them first`,
      );
    }
    if (cluster !== null && cluster !== clusterId()) {
      return conflict(
        `node ${id} at ${addr} belongs to another cluster: start it with an empty data directory`,
      );
    }
    return { found: { addr, instance }, levels };
  }

  /** A node moves by ending here and starting there: where another process of it still answers, or null. */
  async #findTwin({ node: id, instance, run }: PeerIdentity, addr: string): Promise<string | null> {
    const { node, transport, identifyTimeoutMs } = this.#options;
    const known = node.status().membership.membership.nodes.get(id);
    if (known === undefined || known.addr === addr) return null;
    const there = await transport.identify(known.addr, identifyTimeoutMs);
    if (there.type === 'failed') return null;
    const { identity } = there;
    return identity.instance === instance && identity.run !== run ? known.addr : null;
  }

  /** With a little patience: a node that is to be added has often just been started. */
  async #ask(addr: string): Promise<IdentifyOutcome> {
    const { node, transport, identifyTimeoutMs } = this.#options;
    const deadline = performance.now() + identifyTimeoutMs;
    for (;;) {
      const outcome = await transport.identify(addr, identifyTimeoutMs);
      if (outcome.type === 'identified' || performance.now() >= deadline || node.isStopped) return outcome;
      await node.until(() => false, 1);
    }
  }

  /** A learner that is far behind would hold up the commits of the config that counts it: it catches up first. */
  async #setVoters(voters: readonly NodeId[]): Promise<CallOutcome> {
    const { node } = this.#options;
    const halfTicks = Math.floor(this.#options.membershipPatienceTicks / 2);
    const { lastLog, membership } = node.status();
    const added = voters.filter((id) => !isVoter(membership.membership, id));
    const behind = ({ peers }: RaftStatus) =>
      added.filter((id) => (peers.get(id)?.matched ?? lastLog.index) < lastLog.index);
    await node.until((status) => status.role !== 'leader' || behind(status).length === 0, halfTicks);
    const late = behind(node.status());
    if (late.length > 0) {
      const message = `${late.map((id) => `node ${id}`).join(', ')} can't vote yet: does not catch up with the log`;
      return refuse({ type: 'unreachable', message });
    }
    return node.changeMembership({ type: 'setVoters', voters }, halfTicks);
  }

  async #transferLeader(to: NodeId | null): Promise<CallOutcome> {
    const { node } = this.#options;
    const leadsAlready = to === node.id && node.state.leader === to;
    const outcome = leadsAlready ? 'transferred' : await node.transferLeadership(to);
    switch (outcome) {
      case 'transferred': {
        const { lastLog, membership } = node.status();
        const result = { type: 'applied', version: node.version } as const;
        return { type: 'done', logId: lastLog, result, membership: membership.membership };
      }
      case 'notLeader':
        return refuse({ type: 'forwardToLeader', leader: node.state.leader });
      case 'noTarget':
        return refuse({ type: 'conflict', message: noTarget(to) });
      case 'timedOut':
        return { type: 'unknown', message: 'no other node has taken the lead in time' };
      case 'stopping':
        return refuse({ type: 'stopping' });
      default:
        return unreachable(outcome);
    }
  }
}

interface Identified {
  readonly found: NodeRecord;
  readonly levels: SupportedLevels;
}

/** Empty: it has none. */
function keyOf(command: Command): string {
  return command.type === 'write' ? command.idempotencyKey : '';
}

/** null: this release can't read it. */
function readCommand(bytes: Uint8Array): Command | null {
  try {
    return decodeCommand(bytes);
  } catch (error) {
    if (error instanceof CommandFormatError) return null;
    throw error;
  }
}

function noTarget(to: NodeId | null): string {
  return to === null ? 'no other voter can take the lead' : `node ${to} can't take the lead: it is no voter`;
}

function refuse(error: CallError): Promise<CallOutcome> {
  return Promise.resolve({ type: 'refused', error });
}

function conflict(message: string): { refusal: CallError } {
  return { refusal: { type: 'conflict', message } };
}
