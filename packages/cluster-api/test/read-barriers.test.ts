import { logIndex, type ReadId } from '@metad/raft-core';
import { expect, test } from 'vitest';
import { type BarrierOutcome, ReadBarriers } from '../src/consensus/read-barriers.ts';

function barriers() {
  const asked: ReadId[] = [];
  const subject = new ReadBarriers((id) => asked.push(id));
  return { asked, subject };
}

/** What a promise has come to so far. */
async function soFar(promise: Promise<BarrierOutcome>): Promise<BarrierOutcome | 'pending'> {
  return Promise.race([promise, Promise.resolve<'pending'>('pending')]);
}

test('all who ask in one turn share one read index', async () => {
  const { asked, subject } = barriers();
  const first = subject.request(10);
  const second = subject.request(10);
  subject.flush();
  expect(asked).toHaveLength(1);
  subject.confirm(asked[0] ?? 0, logIndex(3), logIndex(3));
  expect(await first).toEqual({ type: 'ready' });
  expect(await second).toEqual({ type: 'ready' });
});

test('a read that comes after the question is asked for anew', () => {
  const { asked, subject } = barriers();
  void subject.request(10);
  subject.flush();
  void subject.request(10);
  subject.flush();
  expect(asked).toHaveLength(2);
});

test('a confirmed read waits until its index is applied', async () => {
  const { asked, subject } = barriers();
  const read = subject.request(10);
  subject.flush();
  subject.confirm(asked[0] ?? 0, logIndex(5), logIndex(3));
  subject.applied(logIndex(4));
  expect(await soFar(read)).toBe('pending');
  subject.applied(logIndex(5));
  expect(await read).toEqual({ type: 'ready' });
});

test('a dropped read is asked for again with the next tick, until its time is over', async () => {
  const { asked, subject } = barriers();
  const read = subject.request(3);
  subject.flush();
  subject.drop(asked[0] ?? 0);
  subject.tick(1);
  expect(asked).toHaveLength(2);
  subject.drop(asked[1] ?? 0);
  subject.tick(3);
  expect(await read).toMatchObject({ type: 'unavailable' });
  expect(asked).toHaveLength(2);
});

test('a read that nobody answers ends when its time is over; a late answer changes nothing', async () => {
  const { asked, subject } = barriers();
  const read = subject.request(3);
  subject.flush();
  subject.tick(2);
  expect(await soFar(read)).toBe('pending');
  subject.tick(3);
  expect(await read).toMatchObject({ type: 'unavailable' });
  subject.confirm(asked[0] ?? 0, logIndex(1), logIndex(1));
  subject.drop(asked[0] ?? 0);
});

test('stopping ends every read: asked, dropped and not yet asked', async () => {
  const { asked, subject } = barriers();
  const reads = [subject.request(9)];
  subject.flush();
  subject.drop(asked[0] ?? 0);
  reads.push(subject.request(9));
  subject.flush();
  reads.push(subject.request(9));
  subject.abandon();
  expect((await Promise.all(reads)).map(({ type }) => type)).toEqual(Array(3).fill('unavailable'));
});
