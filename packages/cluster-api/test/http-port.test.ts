import { once } from 'node:events';
import { createServer } from 'node:http';
import { connect } from 'node:net';
import { type AppliedBatch, type Change, version } from '@metad/kv-store';
import { logIndex, nodeId, term } from '@metad/raft-core';
import { expect, onTestFinished, test } from 'vitest';
import { AppliedVersion } from '../src/http-thread/applied-version.ts';
import { ClientCount } from '../src/http-thread/client-count.ts';
import { HttpPort } from '../src/http-thread/http-port.ts';
import type { ToHttp } from '../src/http-thread/port.ts';

function change(at: number): Change {
  return { type: 'data', version: version(at), paths: [`/${at}`] };
}

function batch(at: number, changes: readonly Change[] = [change(at)]): AppliedBatch {
  return {
    applied: { term: term(1), leader: nodeId(1), index: logIndex(at) },
    version: version(at),
    changes,
  };
}

function open() {
  const sent: ToHttp[] = [];
  const appliedVersion = new AppliedVersion();
  const port = new HttpPort({ postMessage: (message) => void sent.push(message) }, appliedVersion);
  return { sent, appliedVersion, port };
}

const BARRIER: ToHttp = { type: 'barrier', id: 1, outcome: { type: 'ready' } };

test('while somebody is connected each batch crosses as it is applied', () => {
  const { sent, appliedVersion, port } = open();
  appliedVersion.setWatched(true);
  port.postBatch(batch(1));
  port.postBatch(batch(2));
  expect(sent).toEqual([
    { type: 'applied', batch: batch(1) },
    { type: 'applied', batch: batch(2) },
  ]);
});

test('while nobody is, they cross as one when somebody connects', () => {
  const { sent, appliedVersion, port } = open();
  for (const at of [1, 2, 3]) port.postBatch(batch(at));
  expect(sent).toEqual([]);
  appliedVersion.setWatched(true);
  port.flush();
  expect(sent).toEqual([{ type: 'applied', batch: batch(3, [change(1), change(2), change(3)]) }]);
  port.flush();
  port.postBatch(batch(4));
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

test('no more is held back than somebody who connects can be told soon', () => {
  const { sent, port } = open();
  for (let at = 1; at <= 5000; at++) port.postBatch(batch(at));
  expect(sent.length).toBeGreaterThan(0);
  expect(sent.length).toBeLessThan(10);
  port.flush();
  const changes = sent.flatMap((message) => (message.type === 'applied' ? message.batch.changes : []));
  expect(changes).toEqual(Array.from({ length: 5000 }, (_, i) => change(i + 1)));
});

test('somebody is there from the first connection to the end of the last', async () => {
  const seen: boolean[] = [];
  const clients = new ClientCount((isSomebodyThere) => seen.push(isSomebodyThere));
  const server = createServer();
  clients.watch(server);
  onTestFinished(() => void server.close());
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('a server that listens has a port');
  const join = async () => {
    const socket = connect(address.port, '127.0.0.1');
    const [accepted] = await once(server, 'connection');
    return { socket, accepted };
  };
  const [first, second] = [await join(), await join()];
  expect(seen).toEqual([true]);
  for (const { socket, accepted } of [first, second]) {
    expect(seen).toEqual([true]);
    const closed = once(accepted, 'close');
    socket.destroy();
    await closed;
  }
  expect(seen).toEqual([true, false]);
});
