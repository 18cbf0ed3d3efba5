import type { NodeView } from '../../simulation/invariant.ts';
import { instanceOf } from '../../simulation/memberships-seen.ts';
import type { MemoryDisk } from '../../simulation/memory-disk.ts';
import { MemoryStore } from '../../simulation/memory-store.ts';
import type { Snapshot } from '../../simulation/simulated-store.ts';
import { assert } from '../../src/assert.ts';
import type { LogIndex, NodeId } from '../../src/ids.ts';
import type { Raft } from '../../src/raft.ts';
import type { Ready } from '../../src/ready.ts';
import type { RaftStatus } from '../../src/status.ts';
import { decodeText } from '../text-command.ts';

/** What a driver does with a Ready, in order. */
export const PARTS = ['early', 'persist', 'send', 'apply', 'advance'] as const;
export type Part = (typeof PARTS)[number];

export class ScenarioNode implements NodeView {
  readonly id: NodeId;
  #store = emptyStore();
  #disks = 1;
  /** Null while it is down. */
  raft: Raft | null = null;
  starts = 0;
  /** The Ready that is out, and what is left to do of it. */
  turn: { readonly ready: Ready; readonly left: Part[] } | null = null;
  readonly received = new Map<LogIndex, Snapshot>();

  constructor(id: NodeId) {
    this.id = id;
  }

  get store(): MemoryStore {
    return this.#store;
  }

  get status(): RaftStatus {
    assert(this.raft !== null, () => `node ${this.id} is down`);
    return this.raft.status();
  }

  get instance(): string {
    return instanceOf(this.id, this.#disks);
  }

  get disk(): MemoryDisk {
    return this.store.log;
  }

  /** From now on the node, which is down, has another disk, an empty one: to the invariants it is another node. */
  replaceDisk(): void {
    this.#store = emptyStore();
    this.#disks += 1;
  }
}

const emptyStore = () => new MemoryStore(null, decodeText);

export function isEmpty(ready: Ready, part: Part): boolean {
  switch (part) {
    case 'early':
      return ready.early.length === 0;
    case 'persist':
      return ready.snapshot === null && ready.entries.length === 0 && ready.hardState === null;
    case 'send':
      return ready.messages.length === 0;
    case 'apply':
      return ready.committed.length + ready.reads.length + ready.droppedReads.length === 0;
    case 'advance':
      return false;
  }
}
