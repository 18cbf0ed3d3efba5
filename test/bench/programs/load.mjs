// A load generator in a process of its own: one request in flight per connection, keep-alive, no pipelining. It speaks
// just enough HTTP/1.1 over plain sockets, since it shares the processors with what it measures.
//
// Takes its job (see `Job` in ../cells.mjs) as JSON in its only argument, prints its result as JSON.

import net from 'node:net';
import { responseLength } from './response.mjs';
import { compileTemplate } from './template.mjs';

const job = JSON.parse(process.argv[2]);
const MAX_SAMPLES = 2_000_000;
const NOTHING = Buffer.alloc(0);

const samples = new Float64Array(MAX_SAMPLES);
let sampled = 0;
let done = 0;
let total = 0;
let failed = 0;
let firstFailure = null;
let measuring = false;
let running = true;

/** A connection's share of `rate`: how long after the last request it sends its next one. */
const spacingMs = job.rate === undefined ? 0 : (1000 * job.connections) / job.rate;
const nextRequest = compileTemplate(job.request, job.keys ?? 1);

function connect(number) {
  const { port } = job.ports[number % job.ports.length];
  const socket = net.connect({ host: '127.0.0.1', port, noDelay: true });
  let sent = 0;
  let sentAt = 0;
  let dueAt = performance.now() + Math.random() * spacingMs;
  let pending = NOTHING;
  /** Requests that never change have answers of one length, nearly always: no need to look for it again. */
  let usualLength = -1;

  const send = () => {
    sentAt = performance.now();
    socket.write(nextRequest(number, sent));
    sent += 1;
  };
  const next = () => {
    const wait = dueAt - performance.now();
    dueAt += spacingMs;
    if (wait > 1) setTimeout(send, wait);
    else send();
  };
  const finish = (isOk) => {
    total += 1;
    if (!isOk) {
      failed += 1;
      firstFailure ??= pending.toString('latin1').slice(0, 300);
    } else if (measuring) {
      if (sampled < MAX_SAMPLES) samples[sampled++] = performance.now() - sentAt;
      done += 1;
    }
    if (running) next();
    else socket.end();
  };
  socket.on('connect', next);
  socket.on('data', (chunk) => {
    pending = pending.length === 0 ? chunk : Buffer.concat([pending, chunk]);
    const length = pending.length === usualLength ? usualLength : responseLength(pending);
    if (length === 0) return;
    // "HTTP/1.1 200"
    const isOk = pending[9] === 50 && pending[10] === 48 && pending[11] === 48;
    finish(isOk);
    usualLength = length;
    pending = pending.length === length ? NOTHING : pending.subarray(length);
  });
  socket.on('error', (error) => {
    failed += 1;
    firstFailure ??= error.message;
  });
}

function report(startedAt) {
  measuring = false;
  running = false;
  const seconds = (performance.now() - startedAt) / 1000;
  const sorted = samples.subarray(0, sampled).sort();
  const at = (share) => sorted[Math.min(sampled - 1, Math.floor(sampled * share))] ?? null;
  const latency = { p50Ms: at(0.5), p99Ms: at(0.99) };
  const result = { seconds, perSecond: done / seconds, ...latency, total, failed, firstFailure };
  process.stdout.write(`${JSON.stringify(result)}\n`, () => process.exit(0));
}

for (let number = 0; number < job.connections; number += 1) connect(number);

setTimeout(() => {
  measuring = true;
  const startedAt = performance.now();
  if (job.seconds !== undefined) setTimeout(report, job.seconds * 1000, startedAt);
  // Otherwise for as long as whoever started it wants.
  else process.stdin.on('end', () => report(startedAt)).resume();
}, job.warmUpSeconds * 1000);
