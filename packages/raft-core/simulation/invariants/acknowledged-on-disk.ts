import type { LogIndex } from '@metad/raft-core';
import { type Invariant, Violation } from '../invariant.ts';

/** What a node acknowledges is on its disk when it does, and there again when it starts (paper §5.3, §8). */
export function acknowledgedOnDisk(): Invariant {
  /** How far the log on each disk reached when it was last written. */
  const written = new Map<string, LogIndex>();
  return {
    sent({ id, store }, message, { term }) {
      if (message.type !== 'appendEntriesResponse' || message.result.type !== 'accepted') return;
      // One given to a leader that has been deposed since: a later one, elected without this node, may have truncated
      // what it was about. Every majority that could have committed it includes a node that would not have voted so.
      if (message.term < term) return;
      const { matched } = message.result;
      if (matched > store.lastLog.index) {
        throw new Violation(
          'acknowledged on disk',
          `node ${id} acknowledges ${matched}, has ${store.lastLog.index}`,
        );
      }
    },
    persisted({ instance, store }) {
      written.set(instance, store.lastLog.index);
    },
    started({ id, instance }, { lastLog }) {
      const before = written.get(instance);
      if (before !== undefined && lastLog.index < before) {
        throw new Violation(
          'acknowledged on disk',
          `node ${id} had entry ${before}, starts with ${lastLog.index}`,
        );
      }
    },
  };
}
