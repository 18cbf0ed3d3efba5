import { assert } from '../src/assert.ts';
import type { Entry } from '../src/entry.ts';
import { compareLogId, type LogId, type LogIndex, type NodeId, type Term } from '../src/ids.ts';
import type { RaftStatus } from '../src/status.ts';
import type { MemoryDisk } from './memory-disk.ts';

/** What happened on all nodes together, and must fit together (paper, figure 3). */
export class History {
  /** Election safety: the one leader of each term. */
  readonly #leaders = new Map<number, NodeId>();
  /** Log matching: what each log id names, and what came before it. */
  readonly #entries = new Map<string, string>();
  /** State machine safety: the one entry that is applied at each index. */
  readonly #committed: (LogId & { readonly content: string; readonly committedBy: Term })[] = [];
  readonly #proposed = new Set<string>();
  reads = 0;
  snapshots = 0;
  memberships = 0;

  get elections(): number {
    return this.#leaders.size;
  }

  /** The highest index that any node has applied. */
  get lastCommitted(): number {
    return this.#committed.length;
  }

  get committedCommands(): string[] {
    return this.#committed
      .filter(({ content }) => content.startsWith('"'))
      .map(({ content }) => JSON.parse(content));
  }

  proposed(command: string): void {
    this.#proposed.add(command);
  }

  elected({ id, term, lastLog }: RaftStatus, disk: MemoryDisk): void {
    const other = this.#leaders.get(term);
    assert(
      other === undefined || other === id,
      () => `election safety: ${other} and ${id} lead in term ${term}`,
    );
    this.#leaders.set(term, id);
    // Not the entry's own term: a later leader may have committed it, while this one's votes were on their way.
    const newest = this.#committed.findLast((entry) => entry.committedBy < term);
    if (newest === undefined) return;
    assert(compareLogId(lastLog, newest) >= 0, 'leader completeness: a leader has every committed entry');
    const own = newest.index <= disk.compacted.index ? undefined : disk.logId(newest.index);
    if (own !== undefined) assert(compareLogId(own, newest) === 0, 'leader completeness: the same entry');
  }

  persisted(entries: readonly Entry[], before: (index: LogIndex) => LogId): void {
    let previous = entries[0] === undefined ? undefined : before((entries[0].index - 1) as LogIndex);
    for (const entry of entries) {
      const name = `${entry.term}.${entry.index}`;
      const content = `${previous?.term}:${contentOf(entry)}`;
      const known = this.#entries.get(name);
      assert(
        known === undefined || known === content,
        () => `log matching: ${name} is ${known} and ${content}`,
      );
      this.#entries.set(name, content);
      previous = entry;
    }
  }

  /** `applyingTerm` is that of the node which applies it: it was committed in that one, or before. */
  committed(entry: Entry, applyingTerm: Term): void {
    const content = contentOf(entry);
    const known = this.#committed[entry.index - 1];
    if (known !== undefined) {
      assert(
        compareLogId(known, entry) === 0 && known.content === content,
        () => `state machine safety: ${entry.index} is ${known.content} and ${content}`,
      );
      return;
    }
    assert(entry.index === this.#committed.length + 1, 'entries commit in order');
    const { term, leader, index, payload } = entry;
    if (payload.type === 'membership') this.memberships += 1;
    this.#committed.push({ term, leader, index, content, committedBy: applyingTerm });
  }

  readAnswered({ index, atLeast }: { readonly index: number; readonly atLeast: number }): void {
    assert(
      index >= atLeast,
      `a linearizable read at ${index} misses what was committed before it, up to ${atLeast}`,
    );
    this.reads += 1;
  }
}

function contentOf({ payload }: Entry): string {
  switch (payload.type) {
    case 'command':
      return JSON.stringify(new TextDecoder().decode(payload.data));
    case 'membership':
      return `membership ${JSON.stringify([payload.membership.configs, [...payload.membership.nodes]])}`;
    case 'blank':
      return `blank of ${payload.type}`;
  }
}
