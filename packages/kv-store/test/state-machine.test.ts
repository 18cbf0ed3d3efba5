import { join } from 'node:path';
import { AssertionError } from '@metad/raft-core';
import fc from 'fast-check';
import { expect, onTestFinished, test } from 'vitest';
import type { Command } from '../src/command.ts';
import { StateMachine } from '../src/state-machine.ts';
import {
  anyCommand,
  blank,
  commandEntry,
  dump,
  entry,
  membershipOf,
  temporaryDirectory,
} from './fixtures.ts';

function openState(file = join(temporaryDirectory(), 'state.db')): StateMachine {
  const state = StateMachine.open(file);
  onTestFinished(() => state.close());
  return state;
}

const put = (path: string, value: string): Command => ({
  type: 'merge',
  tree: 'data',
  leaves: [[path, value]],
});

test('an empty state stands before the first entry', () => {
  const state = openState();
  expect(state.applied).toEqual({ term: 0, leader: 0, index: 0 });
  expect(state.version).toBe(0);
  expect(state.digest).toBe('0'.repeat(64));
  expect(state.membership.membership).toEqual({ configs: [], nodes: new Map() });
});

test('every entry advances applied; only what changes something advances the version', () => {
  const state = openState();
  const membership = membershipOf(1, 2);
  const result = state.apply([
    entry(1, { type: 'membership', membership }),
    blank(2),
    commandEntry(3, put('/a', 'x')),
    commandEntry(4, put('/a', 'x')),
    commandEntry(5, put('/a', 'y'), 2),
  ]);
  expect(result).toEqual({
    batch: {
      applied: { term: 2, leader: 1, index: 5 },
      version: 2,
      changes: [
        { type: 'data', version: 1, paths: ['/a'], appeared: 1 },
        { type: 'data', version: 2, paths: ['/a'], appeared: 0 },
      ],
    },
    results: [0, 0, 1, 1, 2].map((version) => ({ type: 'applied', version })),
  });
  expect(state.applied).toEqual(result.batch.applied);
  expect(state.version).toBe(2);
  expect(state.membership).toEqual({ logId: { term: 1, leader: 1, index: 1 }, membership });
});

test('what was applied is there after a restart', () => {
  const file = join(temporaryDirectory(), 'state.db');
  const before = openState(file);
  before.apply([
    entry(1, { type: 'membership', membership: membershipOf(3) }),
    commandEntry(2, put('/a', 'x')),
  ]);
  const { applied, version, membership, digest } = before;
  before.close();
  expect(openState(file)).toMatchObject({ applied, version, membership, digest });
});

test('the same commands make the same state on every node, however they are batched', () => {
  const batches = fc.array(fc.array(anyCommand, { maxLength: 5 }), { maxLength: 6 });
  fc.assert(
    fc.property(batches, (parts) => {
      const files = [0, 1].map(() => join(temporaryDirectory(), 'state.db'));
      const [one, other] = files.map((file) => StateMachine.open(file));
      if (one === undefined || other === undefined) throw new Error('two states were opened');
      const entries = parts.flat().map((command, at) => commandEntry(at + 1, command));
      let next = 0;
      for (const part of parts) {
        one.apply(entries.slice(next, next + part.length));
        next += part.length;
      }
      for (const single of entries) other.apply([single]);
      one.close();
      other.close();
      const [first, second] = files.map(dump);
      expect(first).toEqual(second);
    }),
    { numRuns: 50 },
  );
});

test('the digest tells apart what differs in any entry, also in those that change nothing', () => {
  const digestOf = (...entries: Parameters<StateMachine['apply']>[0]) => {
    const state = openState();
    state.apply(entries);
    return state.digest;
  };
  const digests = [
    digestOf(blank(1), commandEntry(2, put('/a', 'x'))),
    digestOf(commandEntry(1, put('/b', 'x')), commandEntry(2, put('/a', 'x'))),
    digestOf(blank(1), commandEntry(2, put('/a', 'y'))),
    digestOf(blank(1), commandEntry(2, put('/a', 'x'), 2)),
    digestOf(commandEntry(1, put('/a', 'x')), blank(2)),
    digestOf(commandEntry(1, put('/a', 'x')), entry(2, { type: 'membership', membership: membershipOf(1) })),
    digestOf(commandEntry(1, put('/a', 'x')), entry(2, { type: 'membership', membership: membershipOf(2) })),
  ];
  expect(new Set(digests).size).toBe(digests.length);
});

test('entries that do not continue what is applied are a bug', () => {
  expect(() => openState().apply([blank(2)])).toThrow(AssertionError);
  expect(() => openState().apply([blank(1), blank(3)])).toThrow(AssertionError);
  expect(() => openState().apply([blank(1, 2), blank(2, 1)])).toThrow(AssertionError);
});

test('a command that cannot be read stops the state machine, names the entry, and leaves nothing of its batch', () => {
  const file = join(temporaryDirectory(), 'state.db');
  const state = openState(file);
  state.apply([commandEntry(1, put('/a', 'x'))]);
  const future = entry(3, { type: 'command', data: Buffer.from([250, 1, 2]) }, 4);
  const fault = expect.objectContaining({
    code: 'damaged',
    message: expect.stringMatching(/entry 3 of term 4/),
  });
  expect(() => state.apply([commandEntry(2, put('/a', 'y')), future])).toThrow(fault);
  expect(() => state.apply([commandEntry(2, put('/a', 'y'))]), 'a fault is final').toThrow(fault);
  expect(state.applied.index).toBe(1);
  expect(dump(file)).toMatchObject({ version: 1, data: [['/a', 'x']] });
});

test('the bytes of the state grow with its rows, and deletions make room', () => {
  const state = openState();
  const empty = state.bytes;
  expect(empty).toBeGreaterThan(0);
  const large = 'x'.repeat(100_000);
  state.apply([commandEntry(1, put('/kept', large)), commandEntry(2, put('/removed', large))]);
  const full = state.bytes;
  expect(full - empty).toBeGreaterThanOrEqual(200_000);
  expect(full - empty).toBeLessThan(300_000);
  state.apply([commandEntry(3, { type: 'delete', tree: 'data', paths: ['/removed'] })]);
  expect(full - state.bytes).toBeGreaterThanOrEqual(90_000);
});
