import { bootstrapLog, DEFAULT_RAFT_LIMITS, nodeId, Raft } from '../dist/index.js';
import { MemoryLog } from './memory-log.mjs';

/** One node: an engine, its log and what has reached it. Its driver does what a Ready asks for, and nothing else. */
class Node {
  inbox = [];
  applied = 0;
  answered = 0;

  constructor(id, { entry, hardState }) {
    const { membership } = entry.payload;
    this.log = new MemoryLog(entry);
    this.raft = new Raft(
      { ...DEFAULT_RAFT_LIMITS, id, random: () => 0.5 },
      {
        hardState,
        compacted: { term: 0, leader: 0, index: 0 },
        lastLog: { term: entry.term, leader: entry.leader, index: 1 },
        applied: { term: entry.term, leader: entry.leader, index: 1 },
        memberships: [{ logId: { term: entry.term, leader: entry.leader, index: 1 }, membership }],
      },
      this.log,
    );
  }

  /** Takes in all that has come, then does all that follows; whether there was anything to do. */
  maybeTurn(send) {
    const { inbox, raft } = this;
    if (inbox.length === 0 && !raft.hasReady()) return false;
    this.inbox = [];
    for (const message of inbox) raft.step(message);
    while (raft.hasReady()) {
      const ready = raft.ready();
      send(ready.early);
      this.log.append(ready.entries);
      send(ready.messages);
      this.applied += ready.committed.length;
      this.answered += ready.reads.length;
      raft.advance(ready);
      const compacted = this.log.maybeCompact();
      if (compacted !== null) raft.compacted(compacted);
    }
    return true;
  }
}

/** A cluster whose first node leads, in one thread; messages arrive at once and in order. */
export class Cluster {
  #nodes;
  #leader;
  #proposed = 0;
  #asked = 0;
  #send = (messages) => {
    for (const message of messages) this.#nodes[message.to - 1].inbox.push(message);
  };

  constructor({ voters, learners }) {
    const ids = Array.from({ length: voters + learners }, (_, i) => nodeId(i + 1));
    const nodes = new Map(ids.map((id) => [id, { addr: `192.0.2.${id}:1` }]));
    const bootstrap = bootstrapLog({ configs: [ids.slice(0, voters)], nodes });
    this.#nodes = ids.map((id) => new Node(id, bootstrap));
    this.#leader = this.#nodes[0];
    this.#leader.raft.campaign();
    this.settle();
  }

  propose(command) {
    this.#proposed += 1;
    this.#leader.raft.propose(command);
  }

  read(id) {
    this.#asked += 1;
    this.#nodes[id - 1].raft.readIndex(this.#asked);
  }

  /** Until nothing moves any more. */
  settle() {
    for (let moved = true; moved; ) {
      moved = false;
      for (const node of this.#nodes) if (node.maybeTurn(this.#send)) moved = true;
    }
  }

  /** Figures of a cluster that has lost something would be worth nothing. */
  assertDone() {
    const answered = this.#nodes.reduce((sum, node) => sum + node.answered, 0);
    // The blank entry of the leader's term is applied too.
    const applied = this.#nodes.every((node) => node.applied === this.#proposed + 1);
    if (!applied || answered !== this.#asked) throw new Error('not everything was applied and answered');
  }
}
