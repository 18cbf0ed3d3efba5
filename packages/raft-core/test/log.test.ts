import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { MemoryDisk } from '../simulation/memory-disk.ts';
import { type Entry, entryBytes } from '../src/entry.ts';
import { type LogIndex, logIndex, term, ZERO_LOG_ID } from '../src/ids.ts';
import { RaftLog } from '../src/log.ts';
import { LogTail } from '../src/log-tail.ts';
import { INITIAL_HARD_STATE } from '../src/ready.ts';
import { membershipOf } from './cluster.ts';
import { commandAt, logIdAt } from './solo.ts';

const ENTRY_BYTES = entryBytes(commandAt(1, 1));

function emptyLog(maxTailBytes = 1e9): { log: RaftLog; disk: MemoryDisk } {
  const disk = new MemoryDisk({ hardState: { ...INITIAL_HARD_STATE, term: term(99) } });
  return { log: new RaftLog(disk.initialState(ZERO_LOG_ID, null), disk, maxTailBytes), disk };
}

/** Persists what is new and applies what is committed, as a Ready would. */
function turn(log: RaftLog, disk: MemoryDisk): void {
  const { entries, snapshot } = log.takeUnpersisted();
  const committed = log.unapplied(1e9);
  disk.persist({ entries, snapshot, hardState: null, mustSync: true });
  log.advance(committed.at(-1)?.index ?? null);
}

function filled(terms: readonly number[], maxTailBytes?: number) {
  const { log, disk } = emptyLog(maxTailBytes);
  terms.forEach((at, i) => {
    log.append(commandAt(at, i + 1));
  });
  turn(log, disk);
  return { log, disk };
}

describe('append and truncate', () => {
  test('entries come without a gap, their terms never fall', () => {
    const { log } = filled([1, 2]);
    expect(() => log.append(commandAt(2, 4))).toThrow('the log has no gap');
    expect(() => log.append(commandAt(1, 3))).toThrow('terms never fall');
  });

  test('what is committed is never truncated', () => {
    const { log } = filled([1, 1, 1]);
    log.commitTo(logIndex(2));
    expect(() => log.truncateFrom(logIndex(2))).toThrow('is committed');
    log.truncateFrom(logIndex(3));
    expect(log.last.index).toBe(2);
  });

  test('what was truncated while a driver wrote it does not count as persisted', () => {
    const { log, disk } = filled([1]);
    for (const index of [2, 3, 4]) log.append(commandAt(1, index));
    const { entries } = log.takeUnpersisted();
    expect(entries).toHaveLength(3);
    log.truncateFrom(logIndex(3));
    log.append(commandAt(2, 3));
    log.advance(null);
    expect(log.persisted).toBe(2);
    expect(log.takeUnpersisted().entries).toEqual([commandAt(2, 3)]);
    expect(disk.last.index).toBe(1);
  });

  test('committing beyond the log is a bug', () => {
    const { log } = filled([1]);
    expect(() => log.commitTo(logIndex(2))).toThrow('beyond the log');
  });
});

describe('memory', () => {
  test('the tail is bounded; older entries are read from disk', () => {
    const { log, disk } = filled(Array(10).fill(1), 3 * ENTRY_BYTES);
    log.commitTo(logIndex(10));
    turn(log, disk);
    let reads = 0;
    const { entries } = disk;
    disk.entries = (range) => {
      reads += 1;
      return entries.call(disk, range);
    };
    const all = { from: logIndex(8), to: logIndex(11), maxBytes: 1e9 };
    expect(log.slice(all).map((entry) => entry.index)).toEqual([8, 9, 10]);
    expect(reads).toBe(0);
    const older = log.slice({ ...all, from: logIndex(3) });
    expect(older.map((entry) => entry.index)).toEqual([3, 4, 5, 6, 7]);
    expect(reads).toBe(1);
  });

  test('what is not applied yet stays in memory beyond the bound', () => {
    const { log, disk } = filled(Array(10).fill(1), ENTRY_BYTES);
    log.commitTo(logIndex(4));
    turn(log, disk);
    expect(log.bytesBetween({ after: logIndex(4), to: logIndex(10) })).toBe(6 * ENTRY_BYTES);
  });

  test('a slice holds at least one entry, whatever the limit', () => {
    const { log } = filled([1, 1, 1]);
    const range = { from: logIndex(1), to: logIndex(4) };
    expect(log.slice({ ...range, maxBytes: 1 })).toHaveLength(1);
    expect(log.slice({ ...range, maxBytes: 2 * ENTRY_BYTES })).toHaveLength(2);
  });

  test('a tail keeps its order through pushes, drops and truncations', () => {
    const step = fc.oneof(
      fc.record({ type: fc.constant('push' as const), count: fc.integer({ min: 1, max: 700 }) }),
      fc.record({ type: fc.constant('drop' as const), count: fc.integer({ min: 1, max: 700 }) }),
      fc.record({ type: fc.constant('truncate' as const), count: fc.integer({ min: 1, max: 20 }) }),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 20 }), (steps) => {
        const tail = new LogTail(logIndex(1));
        let model: Entry[] = [];
        let first: LogIndex = logIndex(1);
        for (const { type, count } of steps) {
          if (type === 'push') {
            for (let i = 0; i < count; i += 1) {
              const index = first + model.length;
              const entry = commandAt(1, index, 'x'.repeat(index % 7));
              tail.push(entry);
              model.push(entry);
            }
          } else if (type === 'drop') {
            first = logIndex(first + Math.min(count, model.length));
            model = model.slice(count);
            tail.dropBefore(first);
          } else {
            model = model.slice(0, Math.max(0, model.length - count));
            tail.truncateFrom(logIndex(first + model.length));
          }
          expect(tail.bytes).toBe(model.reduce((bytes, entry) => bytes + entryBytes(entry), 0));
          expect(tail.slice({ from: tail.first, to: tail.end, maxBytes: 1e9 })).toEqual(model);
          const limited = { from: tail.first, to: tail.end, maxBytes: count * 70 };
          expect(tail.slice(limited)).toEqual(fittingOneByOne(model, limited.maxBytes));
        }
      }),
      { numRuns: 60 },
    );
  });
});

/** The naive twin of a slice limited in bytes. */
function fittingOneByOne(entries: readonly Entry[], maxBytes: number): readonly Entry[] {
  let bytes = 0;
  const exceeding = entries.findIndex((entry, i) => {
    bytes += entryBytes(entry);
    return bytes > maxBytes && i > 0;
  });
  return exceeding < 0 ? entries : entries.slice(0, exceeding);
}

describe('compaction and snapshots', () => {
  test('the compacted entry is still known, those before it are not', () => {
    const { log, disk } = filled([1, 1, 2, 2]);
    log.commitTo(logIndex(4));
    turn(log, disk);
    log.compactTo(logIdAt(2, 3));
    expect(log.logId(logIndex(2))).toBeUndefined();
    expect(log.holds(logIdAt(2, 3))).toBe(true);
    expect(log.logId(logIndex(4))).toMatchObject({ term: 2, index: 4 });
    expect(log.logId(logIndex(5))).toBeUndefined();
  });

  test('only what is applied is compacted', () => {
    const { log } = filled([1, 1]);
    expect(() => log.compactTo(logIdAt(1, 2))).toThrow('only what is applied');
  });

  test('a snapshot replaces the log and every pointer; it is handed out once', () => {
    const { log, disk } = filled([1, 1]);
    log.append(commandAt(1, 3));
    const snapshot = { last: logIdAt(4, 8), membership: membershipOf([]), membershipLogId: logIdAt(1, 1) };
    log.restore(snapshot);
    log.append(commandAt(4, 9));
    expect(log.takeUnpersisted()).toEqual({ snapshot, entries: [commandAt(4, 9)] });
    log.advance(null);
    expect(log).toMatchObject({ applied: 8, committed: 8, persisted: 9, compacted: logIdAt(4, 8) });
    expect(log.takeUnpersisted()).toEqual({ snapshot: null, entries: [] });
    expect(disk.last.index).toBe(2);
  });
});

test('back-up finds the last entry of a term, like a walk from the end', () => {
  const terms = fc.array(fc.integer({ min: 0, max: 2 }), { minLength: 1, maxLength: 40 });
  fc.assert(
    fc.property(terms, fc.nat(60), fc.nat(45), fc.nat(45), (steps, at, end, begin) => {
      let sum = 1;
      const log = filled(steps.map((step) => (sum += step))).log;
      const after = Math.min(begin, log.last.index, end);
      let expected: number | undefined;
      for (let index = Math.min(end, log.last.index); index > after; index -= 1) {
        const logId = log.logId(logIndex(index));
        if (logId === undefined || logId.term > at) continue;
        expected = index;
        break;
      }
      const found = log.lastOfTermUpTo({ term: term(at), at: logIndex(end), after: logIndex(after) });
      expect(found?.index).toBe(expected);
    }),
  );
});

describe('a start from disk', () => {
  const entries = [commandAt(1, 1), commandAt(1, 2), commandAt(2, 3)];
  const hardState = { term: term(2), votedFor: null, committed: logIndex(2) };

  test('goes on from what is persisted, committed and applied', () => {
    const disk = new MemoryDisk({ hardState, log: entries });
    const log = new RaftLog(disk.initialState(logIdAt(1, 1), null), disk, 1e9);
    expect(log).toMatchObject({ applied: 1, committed: 2, persisted: 3 });
    expect(log.unapplied(1e9)).toEqual([commandAt(1, 2)]);
  });

  test('refuses a state that no node can have', () => {
    const early = new MemoryDisk({ hardState: { ...hardState, term: term(1) }, log: entries });
    expect(() => new RaftLog(early.initialState(ZERO_LOG_ID, null), early, 1e9)).toThrow('term');
    const lost = new MemoryDisk({ hardState, log: entries.slice(0, 1) });
    expect(() => new RaftLog(lost.initialState(ZERO_LOG_ID, null), lost, 1e9)).toThrow('still in the log');
    const behind = new MemoryDisk({ hardState, log: entries });
    expect(() => new RaftLog(behind.initialState(logIdAt(2, 4), null), behind, 1e9)).toThrow(
      'only what is in the log',
    );
  });
});
