import { MemoryDisk } from '../simulation/memory-disk.ts';
import { assert } from '../src/assert.ts';
import { DEFAULT_RAFT_LIMITS, type RaftConfig } from '../src/config.ts';
import type { Entry } from '../src/entry.ts';
import { type LogId, logIndex, type NodeId, nodeId, term } from '../src/ids.ts';
import { checkStep, checkTick } from '../src/input-invariants.ts';
import { checkInvariants, checkTransition } from '../src/invariants.ts';
import type { StoredMembership } from '../src/log-reader.ts';
import type { Membership } from '../src/membership.ts';
import type { AppendEntries, AppendResult, Message } from '../src/message.ts';
import { Raft } from '../src/raft.ts';
import type { Ready } from '../src/ready.ts';
import { checkReady } from '../src/ready-invariants.ts';
import { membershipOf } from './cluster.ts';

export interface SoloOptions {
  readonly id?: number;
  readonly voters?: readonly number[];
  readonly learners?: readonly number[];
  /** The terms of the entries behind the first one, which is the membership, at index 1 in term 1. */
  readonly terms?: readonly number[];
  readonly term?: number;
  readonly votedFor?: number | null;
  readonly committed?: number;
  readonly config?: Partial<RaftConfig>;
}

type Of<T extends Message['type']> = Extract<Message, { readonly type: T }>;

/** One node alone, fed by hand; its driver is perfect. Every input is checked against the invariants. */
export class Solo {
  readonly disk: MemoryDisk;
  readonly raft: Raft;
  readonly applied: Entry[] = [];
  readonly reads: { readonly id: number; readonly index: number }[] = [];
  readonly droppedReads: number[] = [];

  constructor(options: SoloOptions = {}) {
    const { id = 1, voters = [1, 2, 3], learners = [], terms = [], config = {} } = options;
    const membership = membershipOf(voters.map(nodeId), learners.map(nodeId));
    const log = logOf(terms, membership);
    const hardState = {
      term: term(options.term ?? log.at(-1)?.term ?? 1),
      votedFor: options.votedFor == null ? null : nodeId(options.votedFor),
      committed: logIndex(options.committed ?? 1),
    };
    this.disk = new MemoryDisk({ hardState, log });
    const stored: StoredMembership = { logId: logIdAt(1, 1), membership };
    this.raft = new Raft(
      { ...DEFAULT_RAFT_LIMITS, id: nodeId(id), random: () => 0.5, ...config },
      this.disk.initialState(logIdAt(1, 1), stored),
      this.disk,
    );
  }

  get status() {
    return this.raft.status();
  }

  get logTerms(): number[] {
    return this.disk.log.map((entry) => entry.term);
  }

  /** One checked input. */
  act<T>(input: (raft: Raft) => T): T {
    const before = this.raft.status();
    const result = input(this.raft);
    checkInvariants(this.raft.status());
    checkTransition(before, this.raft.status());
    return result;
  }

  /** Does every Ready; returns what was sent, in order. */
  run(): Message[] {
    const sent: Message[] = [];
    while (this.raft.hasReady()) {
      const ready = this.act((raft) => raft.ready());
      checkReady(this.status, ready);
      sent.push(...ready.early);
      this.finish(ready);
      sent.push(...ready.messages);
    }
    return sent;
  }

  /** The rest of a Ready that was taken by hand. */
  finish(ready: Ready): void {
    this.disk.persist(ready);
    this.applied.push(...ready.committed);
    this.reads.push(...ready.reads);
    this.droppedReads.push(...ready.droppedReads);
    this.act((raft) => raft.advance(ready));
  }

  /** Steps a message, does what follows, and returns what was sent. */
  receive(message: Message): Message[] {
    const before = this.status;
    this.act((raft) => raft.step(message));
    checkStep(before, message, this.status);
    return this.run();
  }

  tick(times: number): Message[] {
    const sent: Message[] = [];
    for (let i = 0; i < times; i += 1) {
      const before = this.status;
      this.act((raft) => raft.tick());
      checkTick(before, this.status);
      sent.push(...this.run());
    }
    return sent;
  }

  /** Campaigns and is granted every vote; the blank entry has been sent, nobody has answered it. */
  lead(): Message[] {
    this.act((raft) => raft.campaign());
    const asked = only(this.run(), 'requestPreVote');
    for (const { to, term: at } of asked) {
      this.receive({ type: 'requestPreVoteResponse', from: to, to: this.status.id, term: at, granted: true });
    }
    const sent: Message[] = [];
    for (const to of this.#peers()) {
      if (this.status.role === 'leader') break;
      sent.push(
        ...this.receive({
          type: 'requestVoteResponse',
          from: to,
          to: this.status.id,
          term: this.status.term,
          granted: true,
        }),
      );
    }
    assert(this.status.role === 'leader', 'every vote was granted');
    return sent;
  }

  /** Leads, and its blank entry is committed and applied. */
  leadAndCommit(): void {
    this.lead();
    for (const peer of this.#peers()) this.accept(peer, this.status.lastLog.index);
    assert(this.status.committed === this.status.lastLog.index, 'the first entry of the term is committed');
  }

  /** A peer answers an append. */
  accept(from: number, matched: number, round = 0): Message[] {
    return this.respond(from, { type: 'accepted', matched: logIndex(matched) }, round);
  }

  respond(from: number, result: AppendResult, round = 0): Message[] {
    return this.receive({ type: 'appendEntriesResponse', ...this.envelope(from), result, round });
  }

  contact(from: number, round: number): Message[] {
    return this.receive({ type: 'heartbeatResponse', ...this.envelope(from), round });
  }

  /** From a peer to this node, in this node's term or the one given. */
  envelope(from: number, at: number = this.status.term) {
    return { from: nodeId(from), to: this.status.id, term: term(at) };
  }

  #peers(): NodeId[] {
    const { configs } = this.status.membership.membership;
    return [...new Set(configs.flat())].filter((node) => node !== this.status.id);
  }
}

export function only<T extends Message['type']>(messages: readonly Message[], type: T): Of<T>[] {
  return messages.filter((message): message is Of<T> => message.type === type);
}

/** The single message of a type; a test that expects one says so by it. */
export function one<T extends Message['type']>(messages: readonly Message[], type: T): Of<T> {
  const [first, ...rest] = only(messages, type);
  assert(first !== undefined && rest.length === 0, () => `one ${type}, not ${JSON.stringify(messages)}`);
  return first;
}

/** A log id whose leader is, for brevity, the node of the term's number. */
export function logIdAt(at: number, index: number): LogId {
  return { term: term(at), leader: nodeId(Math.max(at, 1)), index: logIndex(index) };
}

/** A command whose text names its place; equally long for all of them. */
export function commandAt(at: number, index: number, text = `${at}.${index}`.padEnd(8)): Entry {
  return { ...logIdAt(at, index), payload: { type: 'command', data: bytes(text) } };
}

export function bytes(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

export function logOf(terms: readonly number[], membership: Membership): Entry[] {
  return [
    { ...logIdAt(1, 1), payload: { type: 'membership', membership } },
    ...terms.map((at, i) => commandAt(at, i + 2)),
  ];
}

/** An append of entries with `terms`, right behind `previous`. */
export function append(
  solo: Solo,
  options: {
    readonly from: number;
    readonly term: number;
    readonly previous: readonly [term: number, index: number];
    readonly terms?: readonly number[];
    readonly committed?: number;
    readonly round?: number;
  },
): AppendEntries {
  const { from, previous, terms = [], committed = 0, round = 0 } = options;
  return {
    type: 'appendEntries',
    ...solo.envelope(from, options.term),
    previous: logIdAt(previous[0], previous[1]),
    entries: terms.map((at, i) => commandAt(at, previous[1] + 1 + i)),
    committed: logIndex(committed),
    round,
  };
}

/** A candidate asks `solo` for its vote; returns what it sent. */
export const requestVote = (
  solo: Solo,
  from: number,
  at: number,
  last: readonly [number, number],
  transfer = false,
) =>
  solo.receive({
    type: 'requestVote',
    ...solo.envelope(from, at),
    lastLog: logIdAt(last[0], last[1]),
    transfer,
  });
