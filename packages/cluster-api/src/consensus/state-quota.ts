import { type Command, decodeCommand } from '@metad/kv-store';
import { unreachable } from '@metad/raft-core';

/**
 * A limit on the size of the state. It is asked before a command is proposed, on the node that leads, and never when
 * one is applied: there every node must do the same. So what is in flight when the limit is reached still gets in, and
 * a limit must leave the disk room for that and for the deletions.
 */
export class StateQuota {
  /** 0: no limit. */
  readonly maxBytes: number;
  readonly #usedBytes: () => number;
  /** What the state may grow by until it must be looked at again: a look costs as much as applying half a command. */
  #roomBytes = 0;
  #lookedAt = 0;

  constructor(options: { readonly maxBytes: number; readonly usedBytes: () => number }) {
    this.maxBytes = options.maxBytes;
    this.#usedBytes = options.usedBytes;
  }

  /** Whether the command may be proposed: there is room, or it only removes. Expects bytes of `encodeCommand`. */
  admits(command: Uint8Array): boolean {
    if (this.maxBytes === 0 || this.#hasRoomFor(command)) return true;
    return isRemoval(decodeCommand(command));
  }

  #hasRoomFor(command: Uint8Array): boolean {
    this.#roomBytes -= growthAtMost(command);
    const now = performance.now();
    // Another node may have been leading meanwhile.
    if (this.#roomBytes > 0 && now - this.#lookedAt < MAX_LOOK_AGE_MS) return true;
    this.#roomBytes = this.maxBytes - this.#usedBytes();
    this.#lookedAt = now;
    return this.#roomBytes > 0;
  }
}

const MAX_LOOK_AGE_MS = 1_000;
const PAGE_BYTES = 4096;

/** Each leaf, which takes four bytes at least, can split a page of its own. */
function growthAtMost(command: Uint8Array): number {
  return PAGE_BYTES * (4 + Math.ceil(command.byteLength / 4));
}

/** A level takes no room either. */
function isRemoval(command: Command): boolean {
  switch (command.type) {
    case 'write':
      return command.operations.every(isRemoval);
    case 'delete':
    case 'deleteValue':
    case 'deleteRules':
    case 'setFeatureLevel':
      return true;
    case 'merge':
    case 'replace':
    case 'setRules':
      return false;
    default:
      return unreachable(command);
  }
}
