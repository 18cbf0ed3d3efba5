import { createServer } from 'node:http';
import { type AppliedBatch, type Change, version } from '@metad/kv-store';
import { logIndex, nodeId, term } from '@metad/raft-core';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { AppliedVersion } from '../src/http-thread/applied-version.ts';
import { Attention, QUIET_MS } from '../src/http-thread/attention.ts';
import { HttpPort } from '../src/http-thread/http-port.ts';
import { unpackBatch } from '../src/http-thread/packed-batch.ts';
import type { ToHttp } from '../src/http-thread/port.ts';

function change(at: number): Change {
  return { type: 'data', version: version(at), paths: [`/${at}`], appeared: 0 };
}

function batch(at: number, changes: readonly Change[] = [change(at)]): AppliedBatch {
  return {
    applied: { term: term(1), leader: nodeId(1), index: logIndex(at) },
    version: version(at),
    changes,
  };
}

/** A message with its batch as it was given. */
type Sent = Exclude<ToHttp, { type: 'applied' | 'outcomes' }> | { type: string; batch: AppliedBatch | null };

function open() {
  const sent: Sent[] = [];
  const appliedVersion = new AppliedVersion();
  const postMessage = (message: ToHttp) => {
    const hasBatch = message.type === 'applied' || message.type === 'outcomes';
    sent.push(hasBatch ? { ...message, batch: message.batch && unpackBatch(message.batch) } : message);
  };
  return { sent, appliedVersion, port: new HttpPort({ postMessage }, appliedVersion) };
}

const BARRIER = { type: 'barrier', id: 1, outcome: { type: 'ready' } } as const;

/** The end of the turn, with all that it settles. */
const turn = () => new Promise((resolve) => setImmediate(resolve));

test('while somebody may wait the batches of a turn cross when it is over', async () => {
  const { sent, appliedVersion, port } = open();
  appliedVersion.setWatched(true);
  port.postBatch(batch(1));
  port.postBatch(batch(2));
  await turn();
  expect(sent).toEqual([{ type: 'applied', batch: batch(2, [change(1), change(2)]) }]);
  port.postBatch(batch(3));
  await turn();
  expect(sent.slice(1)).toEqual([{ type: 'applied', batch: batch(3) }]);
});

test('a batch and what it settles, promises of promises included, cross as one', async () => {
  const { sent, appliedVersion, port } = open();
  const others = [
    { id: 8, outcome: { type: 'applied', version: version(4), repeated: true } },
    { id: 9, outcome: { type: 'unknown', message: 'who knows' } },
  ] as const;
  for (const isWatched of [true, false]) {
    appliedVersion.setWatched(isWatched);
    port.postBatch(batch(1));
    const settled = (async () => {
      for (let i = 0; i < 10; i++) await null;
      port.postOutcome(7, { type: 'applied', version: version(5), repeated: false });
      for (const { id, outcome } of others) port.postOutcome(id, outcome);
    })();
    await Promise.all([settled, turn()]);
    const message = { type: 'outcomes', batch: batch(1), applied: [7, 5], others };
    expect(sent.splice(0)).toEqual([message]);
  }
});

test('an outcome without a batch crosses alone', async () => {
  const { sent, port } = open();
  port.postOutcome(7, { type: 'unknown', message: 'who knows' });
  await turn();
  const others = [{ id: 7, outcome: { type: 'unknown', message: 'who knows' } }];
  expect(sent).toEqual([{ type: 'outcomes', batch: null, applied: [], others }]);
});

test('while nobody is, they cross as one when somebody comes', async () => {
  const { sent, appliedVersion, port } = open();
  for (const at of [1, 2, 3]) port.postBatch(batch(at));
  await turn();
  expect(sent).toEqual([]);
  appliedVersion.setWatched(true);
  port.flush();
  expect(sent).toEqual([{ type: 'applied', batch: batch(3, [change(1), change(2), change(3)]) }]);
  port.flush();
  port.postBatch(batch(4));
  await turn();
  expect(sent.slice(1)).toEqual([{ type: 'applied', batch: batch(4) }]);
});

test('no answer overtakes a batch', () => {
  const { sent, port } = open();
  port.postBatch(batch(1));
  port.post(BARRIER);
  port.postBatch(batch(2));
  port.post(BARRIER);
  port.post(BARRIER);
  const order = [{ type: 'applied', batch: batch(1) }, BARRIER, { type: 'applied', batch: batch(2) }];
  expect(sent).toEqual([...order, BARRIER, BARRIER]);
});

test('a state that was replaced is told at once, behind what came before it', () => {
  const { sent, port } = open();
  const replaced = { ...batch(5, [{ type: 'reset', version: version(5) }]), stateFile: 'state-2.db' };
  port.postBatch(batch(1));
  port.postBatch(replaced);
  expect(sent).toEqual([
    { type: 'applied', batch: batch(1) },
    { type: 'applied', batch: replaced },
  ]);
});

test('no more is held back than somebody who comes can be told soon', () => {
  const { sent, port } = open();
  for (let at = 1; at <= 5000; at++) port.postBatch(batch(at));
  expect(sent.length).toBeGreaterThan(0);
  expect(sent.length).toBeLessThan(10);
  port.flush();
  const changes = sent.flatMap((message) => ('batch' in message ? (message.batch?.changes ?? []) : []));
  expect(changes).toEqual(Array.from({ length: 5000 }, (_, i) => change(i + 1)));
});

describe('attention', () => {
  let changes: boolean[];
  let waiting: number;
  let attention: Attention;

  beforeEach(() => {
    vi.useFakeTimers();
    changes = [];
    waiting = 0;
    attention = new Attention({ waiting: () => waiting, onChange: (isPaid) => changes.push(isPaid) });
  });

  afterEach(() => {
    attention.stop();
    expect(vi.getTimerCount()).toBe(0);
    vi.useRealTimers();
  });

  test('is paid from the first request until all has been quiet for a while', () => {
    attention.noteRequest();
    attention.noteRequest();
    expect(changes).toEqual([true]);
    vi.advanceTimersByTime(QUIET_MS);
    attention.noteRequest();
    vi.advanceTimersByTime(QUIET_MS);
    expect(changes).toEqual([true]);
    vi.advanceTimersByTime(QUIET_MS);
    expect(changes).toEqual([true, false]);
    attention.noteRequest();
    expect(changes).toEqual([true, false, true]);
  });

  test('is paid as long as somebody waits', () => {
    attention.noteRequest();
    waiting = 1;
    vi.advanceTimersByTime(10 * QUIET_MS);
    expect(changes).toEqual([true]);
    waiting = 0;
    vi.advanceTimersByTime(QUIET_MS);
    expect(changes).toEqual([true, false]);
  });

  test('is called by any request to a server that is followed', () => {
    const server = createServer();
    attention.follow(server);
    server.emit('request');
    expect(changes).toEqual([true]);
  });
});
