import { EMPTY_MEMBERSHIP, type LogId, logIndex, nodeId, term, ZERO_LOG_ID } from '@metad/raft-core';
import { expect, test } from 'vitest';
import { Removal } from '../src/consensus/removal.ts';

const at = (index: number): LogId => ({ term: term(1), leader: nodeId(1), index: logIndex(index) });
const place = (committed: LogId, leader: number | null = null) => ({
  leader: leader === null ? null : nodeId(leader),
  committedMembership: { logId: committed, membership: EMPTY_MEMBERSHIP },
});

test('a node that hears of nobody, as behind a partition, was not removed', () => {
  expect(new Removal().isIn(place(at(5)))).toBe(false);
  expect(new Removal().isIn(place(ZERO_LOG_ID))).toBe(false);
});

test('a node that a member has refused by a membership as late as its own, or later, was', () => {
  for (const without of [at(5), at(6)]) {
    const removal = new Removal();
    removal.learn(without);
    expect(removal.isIn(place(at(5)))).toBe(true);
  }
});

test('a member that lags behind proves nothing, whatever it says last', () => {
  const removal = new Removal();
  removal.learn(at(4));
  expect(removal.isIn(place(at(5)))).toBe(false);
  removal.learn(at(6));
  removal.learn(at(4));
  expect(removal.isIn(place(at(5)))).toBe(true);
});

test('a node that was added again is a member', () => {
  const removal = new Removal();
  removal.learn(at(6));
  expect(removal.isIn(place(at(5), 2)), 'a leader speaks to it').toBe(false);
  expect(removal.isIn(place(at(7))), 'a later membership is known here').toBe(false);
});
