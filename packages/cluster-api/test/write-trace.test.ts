import { type Entry, type LogId, logIndex, nodeId, term } from '@metad/raft-core';
import { expect, test } from 'vitest';
import { Distribution } from '../src/consensus/distribution.ts';
import { WRITE_STAGES, WriteTrace } from '../src/consensus/write-trace.ts';

const command = (byte: number) => new Uint8Array([byte]);

function entry(index: number, inTerm = 1): Entry {
  return {
    term: term(inTerm),
    leader: nodeId(1),
    index: logIndex(index),
    payload: { type: 'command', data: command(index) },
  };
}

/** How often each stage was observed. */
function counts(trace: WriteTrace): Record<string, number> {
  const lines = trace.text().matchAll(/_count\{stage="(\w+)"\} (\d+)/g);
  return Object.fromEntries([...lines].map(([, stage = '', count]) => [stage, Number(count)]));
}

const none = Object.fromEntries(WRITE_STAGES.map((stage) => [stage, 0]));

function carryOut(trace: WriteTrace, entries: readonly Entry[]): void {
  trace.writing(entries);
  trace.written(entries);
  trace.applying(entries);
  trace.applied(entries);
}

const logIdOf = ({ term, leader, index }: Entry): LogId => ({ term, leader, index });

test('a write of a client of this node is followed through every stage', () => {
  const trace = new WriteTrace();
  const write = command(1);
  trace.begin(write, { stage: 'http', since: performance.now() });
  trace.proposed(write, logIdOf(entry(7)));
  carryOut(trace, [entry(5), entry(6), entry(7)]);
  expect(counts(trace)).toEqual({ ...none, http: 1, propose: 1, sync: 1, network: 1, apply: 1 });
  trace.answered(write);
  expect(counts(trace)).toEqual({ ...none, http: 1, propose: 1, sync: 1, network: 1, apply: 1, answer: 1 });
});

test('one at a time: others pass, and the next one that comes is followed', () => {
  const trace = new WriteTrace();
  const [followed, passing, later] = [command(1), command(2), command(3)];
  trace.begin(followed, { stage: 'hop', since: 0 });
  trace.begin(passing, { stage: 'http', since: 0 });
  trace.proposed(followed, logIdOf(entry(1)));
  trace.proposed(passing, logIdOf(entry(2)));
  carryOut(trace, [entry(1), entry(2)]);
  trace.answered(passing);
  expect(counts(trace)).toEqual({ ...none, hop: 1, propose: 1, sync: 1, network: 1, apply: 1 });
  trace.answered(followed);
  trace.begin(later, { stage: 'http', since: 0 });
  expect(counts(trace)).toMatchObject({ hop: 1, http: 1, answer: 1 });
});

test('one that another node has forwarded has no door, and is through when it is applied', () => {
  const trace = new WriteTrace();
  trace.proposed(command(1), logIdOf(entry(1)));
  carryOut(trace, [entry(1)]);
  trace.proposed(command(2), logIdOf(entry(2)));
  carryOut(trace, [entry(2)]);
  expect(counts(trace)).toEqual({ ...none, propose: 2, sync: 2, network: 2, apply: 2, answer: 2 - 2 });
});

test('another entry in its place ends nothing, nor does a stage out of order', () => {
  const trace = new WriteTrace();
  const write = command(1);
  trace.begin(write, { stage: 'http', since: 0 });
  trace.proposed(write, logIdOf(entry(3)));
  trace.written([entry(3)]);
  carryOut(trace, [entry(3, 2)]);
  carryOut(trace, [entry(1), entry(2)]);
  carryOut(trace, []);
  trace.answered(write);
  expect(counts(trace)).toEqual({ ...none, http: 1 });
});

test('a distribution counts each value once, in the first bucket that holds it', () => {
  const values = new Distribution([1, 2.5]);
  for (const value of [0, 1, 2, 3, 100]) values.observe(value);
  expect(values.lines('m')).toEqual([
    'm_bucket{le="1"} 2',
    'm_bucket{le="2.5"} 3',
    'm_bucket{le="+Inf"} 5',
    'm_sum 106',
    'm_count 5',
  ]);
  expect(values.lines('m', 'a="b"')[1]).toBe('m_bucket{a="b",le="2.5"} 3');
  expect(values.lines('m', 'a="b"')[4]).toBe('m_count{a="b"} 5');
});
