// Holds thousands of requests open over plain sockets, in a process of its own. Told what to do by messages of its parent,
// one at a time; answers each with one: see `Holder` in ../holder.mjs.

import net from 'node:net';
import { clientAddress } from './client-address.mjs';
import { responseLength } from './response.mjs';

const NOTHING = Buffer.alloc(0);
/** Connections opened at once: no more than a server lets wait for it. */
const OPENING = 100;

let sockets = [];
let failed = 0;
let firstFailure = null;
/** Called with the number of each client that is answered, and the answer. */
let onAnswer = () => undefined;

function open(number, port) {
  return new Promise((resolve, reject) => {
    const socket = net.connect({ host: '127.0.0.1', port, noDelay: true });
    let pending = NOTHING;
    socket.once('connect', () => resolve(socket));
    socket.on('error', reject);
    socket.on('data', (chunk) => {
      pending = pending.length === 0 ? chunk : Buffer.concat([pending, chunk]);
      const length = responseLength(pending);
      if (length === 0) return;
      const answer = pending;
      pending = pending.subarray(length);
      if (answer.toString('latin1', 9, 12) !== '200') {
        failed += 1;
        firstFailure ??= answer.toString('latin1').slice(0, 300);
      }
      onAnswer(number, answer);
    });
  });
}

function ask(socket, number, path) {
  const headers = `Accept: application/json\r\nX-Forwarded-For: ${clientAddress(number)}\r\n`;
  socket.write(`GET ${path} HTTP/1.1\r\nHost: bench\r\n${headers}\r\n`);
}

/** `count` clients, each with a request of its own. */
async function hold({ port, path, count }) {
  for (let from = 0; from < count; from += OPENING) {
    const numbers = Array.from({ length: Math.min(OPENING, count - from) }, (_, i) => from + i);
    const opened = await Promise.all(numbers.map((number) => open(number, port)));
    for (const [i, socket] of opened.entries()) ask(socket, from + i, path);
    sockets.push(...opened);
  }
  return { count: sockets.length };
}

/** Changes so far: each writes something new. */
let changes = 0;

/** A connection over which a request can be sent at once. */
function connectTo(port) {
  return new Promise((resolve, reject) => {
    const socket = net.connect({ host: '127.0.0.1', port, noDelay: true }, () => resolve(socket));
    socket.on('error', reject);
    socket.on('data', (answer) => {
      if (answer.toString('latin1', 9, 12) !== '200') failed += 1;
      socket.end();
    });
  });
}

/** Sends the request that ends the wait of others. */
function pull(socket, { method, path, body }) {
  const headers = `Host: bench\r\nContent-Length: ${Buffer.byteLength(body)}\r\n`;
  socket.write(`${method} ${path} HTTP/1.1\r\n${headers}\r\n${body}`);
}

/** One request that ends all waits: how long after it each was answered. */
async function releaseAll({ trigger }) {
  const times = [];
  const socket = await connectTo(trigger.port);
  const ended = new Promise((resolve) => {
    onAnswer = () => {
      times.push(performance.now());
      if (times.length === sockets.length) resolve();
    };
  });
  const startedAt = performance.now();
  pull(socket, trigger);
  await ended;
  const after = times.map((time) => time - startedAt);
  return {
    firstMs: after[0],
    medianMs: after[after.length >> 1],
    lastMs: after.at(-1),
    failed,
    firstFailure,
  };
}

/** Requests that each end one wait, which then begins again: how long after it that one was answered; who else was. */
async function releaseOne({ rounds, pauseMs, path, trigger }) {
  const samples = [];
  let others = 0;
  for (let round = 0; round < rounds; round += 1) {
    await new Promise((resolve) => setTimeout(resolve, pauseMs));
    const socket = await connectTo(trigger.port);
    const number = Math.floor(Math.random() * sockets.length);
    const answered = new Promise((resolve) => {
      onAnswer = (other, answer) => {
        if (other === number) resolve(answer);
        else others += 1;
      };
    });
    changes += 1;
    const fill = (text) => text.replace('{client}', number).replace('{change}', changes);
    const startedAt = performance.now();
    pull(socket, { ...trigger, path: fill(trigger.path), body: fill(trigger.body) });
    const answer = await answered;
    samples.push(performance.now() - startedAt);
    const version = /x-metad-version: (\d+)/i.exec(answer.toString('latin1'))?.[1] ?? '';
    ask(sockets[number], number, `${path}&prev_version=${version}`);
  }
  samples.sort((a, b) => a - b);
  const at = (share) => samples[Math.floor(samples.length * share)];
  return { p50Ms: at(0.5), p99Ms: at(0.99), others, failed, firstFailure };
}

async function close() {
  for (const socket of sockets) socket.destroy();
  sockets = [];
  failed = 0;
  firstFailure = null;
  return {};
}

const ACTIONS = { hold, releaseAll, releaseOne, close };

process.on('message', async ({ type, ...options }) => {
  process.send(await ACTIONS[type](options));
});
process.on('disconnect', () => process.exit(0));
