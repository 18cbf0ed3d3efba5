import { type AppendEntries, logIndex, type Message, nodeId, term, ZERO_LOG_ID } from '@metad/raft-core';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { CommitNotices } from '../src/consensus/commit-notices.ts';

let sent: Message[] = [];
let notices: CommitNotices;

beforeEach(() => {
  vi.useFakeTimers();
  sent = [];
  notices = new CommitNotices((messages) => sent.push(...messages));
});

afterEach(() => {
  notices.stop();
  vi.useRealTimers();
});

/** Writes that follow each other closely, to a node that has no part in the test. */
function writeOn(): void {
  notices.send([append(9, { entries: 1 })]);
  notices.send([append(9, { committed: 1 })]);
  notices.send([append(9, { entries: 1 })]);
  sent = [];
}

function append(to: number, { entries = 0, committed = 0, inTerm = 1 } = {}): AppendEntries {
  const last = { term: term(inTerm), leader: nodeId(1), payload: { type: 'blank' } } as const;
  return {
    type: 'appendEntries',
    from: nodeId(1),
    to: nodeId(to),
    term: term(inTerm),
    previous: ZERO_LOG_ID,
    entries: Array.from({ length: entries }, (_, i) => ({ ...last, index: logIndex(i + 1) })),
    committed: logIndex(committed),
    round: 1,
  };
}

function heartbeat(to: number): Message {
  return {
    type: 'heartbeat',
    from: nodeId(1),
    to: nodeId(to),
    term: term(1),
    committed: logIndex(0),
    round: 2,
  };
}

test('while writes go on, that something is committed waits for the next entries', () => {
  writeOn();
  const first = append(2, { entries: 1 });
  const next = append(2, { entries: 1, committed: 1 });
  notices.send([first]);
  notices.send([append(2, { committed: 1 })]);
  expect(sent).toEqual([first]);
  notices.send([next]);
  expect(sent).toEqual([first, next]);
  vi.runAllTimers();
  expect(sent).toEqual([first, next]);
});

test('a write that comes alone is told of at once, and so is the first of many', () => {
  notices.send([append(2, { entries: 1 }), append(3, { entries: 1 })]);
  notices.send([append(2, { committed: 1 }), append(3, { committed: 1 })]);
  expect(sent.slice(2)).toEqual([append(2, { committed: 1 }), append(3, { committed: 1 })]);
  notices.send([append(2, { entries: 1 })]);
  notices.send([append(2, { committed: 2 })]);
  expect(sent.slice(4)).toEqual([append(2, { entries: 1 })]);
});

test('once they have ceased for a moment the next one counts as alone', () => {
  writeOn();
  notices.send([append(2, { committed: 1 })]);
  vi.advanceTimersByTime(5);
  notices.send([append(2, { entries: 1 })]);
  sent = [];
  notices.send([append(2, { committed: 2 })]);
  expect(sent).toEqual([append(2, { committed: 2 })]);
  expect(vi.getTimerCount()).toBe(0);
});

test('where no entries follow it leaves after a moment, the newest for each peer', () => {
  writeOn();
  notices.send([append(2, { committed: 1 }), append(3, { committed: 1 })]);
  notices.send([append(2, { committed: 2 })]);
  expect(sent).toEqual([]);
  vi.runAllTimers();
  expect(sent).toEqual([append(3, { committed: 1 }), append(2, { committed: 2 })]);
  expect(vi.getTimerCount()).toBe(0);
});

test('it leaves at once when somebody waits for it', () => {
  writeOn();
  notices.send([append(2, { committed: 1 })]);
  notices.flush();
  expect(sent).toEqual([append(2, { committed: 1 })]);
  vi.runAllTimers();
  expect(sent).toHaveLength(1);
});

test('nothing overtakes it but what says as much', () => {
  writeOn();
  notices.send([append(2, { committed: 1 }), append(3, { committed: 1 })]);
  notices.send([heartbeat(2)]);
  expect(sent).toEqual([append(2, { committed: 1 }), heartbeat(2)]);
  notices.send([append(3, { entries: 1, inTerm: 2 })]);
  expect(sent.slice(2)).toEqual([append(3, { committed: 1 }), append(3, { entries: 1, inTerm: 2 })]);
});

test('a node that stops sends nothing more', () => {
  writeOn();
  notices.send([append(2, { committed: 1 })]);
  notices.stop();
  expect(vi.getTimerCount()).toBe(0);
  expect(sent).toEqual([]);
});
