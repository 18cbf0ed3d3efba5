import { type LogIndex, type Message, previousIndex, type RaftStatus, type Term } from '@metad/raft-core';
import { type Invariant, type NodeView, Violation } from '../invariant.ts';

/** What a node acknowledges is on its disk when it does, is the leader's, and is there again when it starts (paper §5.3). */
export function acknowledgedOnDisk(): Invariant {
  /** How far the log on each disk reaches for certain. */
  const onDisk = new Map<string, LogIndex>();
  /** The terms of the entries of each term's leader, as far as it has sent them. */
  const sent = new Map<Term, Map<LogIndex, Term>>();

  function noteAppend({ term, entries }: Extract<Message, { type: 'appendEntries' }>): void {
    const log = sent.get(term) ?? new Map<LogIndex, Term>();
    sent.set(term, log);
    for (const entry of entries) log.set(entry.index, entry.term);
  }

  function checkAcknowledged({ id, store }: NodeView, term: Term, matched: LogIndex): void {
    if (matched > store.lastLog.index) {
      throw new Violation(
        'acknowledged on disk',
        `node ${id} acknowledges ${matched}, has ${store.lastLog.index}`,
      );
    }
    const own = store.log.logId(matched)?.term;
    const leaders = sent.get(term)?.get(matched);
    if (own === undefined || leaders === undefined || own === leaders) return;
    throw new Violation(
      'acknowledged on disk',
      `node ${id} has ${own}.${matched} where the leader has ${leaders}.${matched}`,
    );
  }

  return {
    sent(node, message, { term }: RaftStatus) {
      if (message.type === 'appendEntries') noteAppend(message);
      if (message.type !== 'appendEntriesResponse' || message.result.type !== 'accepted') return;
      // One given to a leader that has been deposed since: a later one, elected without this node, may have truncated
      // what it was about. Every majority that could have committed it includes a node that would not have voted so.
      if (message.term === term) checkAcknowledged(node, term, message.result.matched);
    },
    written({ instance }, [first]) {
      const before = onDisk.get(instance);
      if (first !== undefined && before !== undefined && first.index <= before)
        onDisk.set(instance, previousIndex(first.index));
    },
    persisted({ instance, store }) {
      onDisk.set(instance, store.lastLog.index);
    },
    started({ id, instance }, { lastLog }) {
      const before = onDisk.get(instance);
      if (before !== undefined && lastLog.index < before) {
        throw new Violation(
          'acknowledged on disk',
          `node ${id} had entry ${before}, starts with ${lastLog.index}`,
        );
      }
    },
  };
}
