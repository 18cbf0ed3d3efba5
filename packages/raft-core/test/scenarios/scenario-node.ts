import type { LogIndex, NodeId } from '../../src/ids.ts';
import type { Raft } from '../../src/raft.ts';
import type { Ready } from '../../src/ready.ts';
import type { MemoryDisk } from '../memory-disk.ts';
import { EMPTY_STATE, type StateMachine } from '../state-machine.ts';

/** What a driver does with a Ready, in order. */
export const PARTS = ['early', 'persist', 'send', 'apply', 'advance'] as const;
export type Part = (typeof PARTS)[number];

export class ScenarioNode {
  readonly id: NodeId;
  disk: MemoryDisk;
  /** Null while it is down. */
  raft: Raft | null = null;
  /** Survives a crash, as if every Ready's entries were applied in the write that stores them. */
  state: StateMachine = EMPTY_STATE;
  starts = 0;
  /** The Ready that is out, and what is left to do of it. */
  turn: { readonly ready: Ready; readonly left: Part[] } | null = null;
  readonly received = new Map<LogIndex, StateMachine>();

  constructor(id: NodeId, disk: MemoryDisk) {
    this.id = id;
    this.disk = disk;
  }
}

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
