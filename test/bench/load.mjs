// A load generator in a process of its own: closed loop, one request in flight per connection, keep-alive, no pipelining.
// It speaks just enough HTTP/1.1 over plain sockets, since it shares the processors with what it measures.
//
// Takes its job as JSON in its only argument, prints its result as JSON. See `Job` in cells.mjs.

import net from 'node:net';

const job = JSON.parse(process.argv[2]);
const MAX_SAMPLES = 2_000_000;
const HEAD_END = Buffer.from('\r\n\r\n');
const CHUNKED_END = Buffer.from('0\r\n\r\n');
const NOTHING = Buffer.alloc(0);
/** `{n8}` is the number with leading zeros, 8 digits long. */
const PLACEHOLDER = /\{([cn])(\d*)\}/g;

const samples = new Float64Array(MAX_SAMPLES);
let sampled = 0;
let done = 0;
let failed = 0;
let firstFailure = null;
let measuring = false;
let running = true;

/** The bytes of a connection's next request: a template with the connection's and the request's number filled in. */
function render(template, connection, number) {
  const values = { c: connection, n: number };
  const fill = (text) =>
    text.replace(PLACEHOLDER, (_, name, digits) => String(values[name]).padStart(Number(digits), '0'));
  const body = template.body === undefined ? '' : fill(template.body);
  const length = template.body === undefined ? '' : `Content-Length: ${Buffer.byteLength(body)}\r\n`;
  return `${template.method} ${fill(template.path)} HTTP/1.1\r\nHost: bench\r\n${template.headers ?? ''}${length}\r\n${body}`;
}

/** How many bytes of the buffer the first whole response takes; 0 while it is not whole. */
function responseLength(buffer) {
  const headEnd = buffer.indexOf(HEAD_END);
  if (headEnd < 0) return 0;
  const head = buffer.toString('latin1', 0, headEnd).toLowerCase();
  const at = head.indexOf('content-length:');
  if (at >= 0) {
    const total = headEnd + 4 + Number.parseInt(head.slice(at + 15), 10);
    return buffer.length >= total ? total : 0;
  }
  const end = buffer.indexOf(CHUNKED_END, headEnd + 4);
  return end < 0 ? 0 : end + CHUNKED_END.length;
}

function connect(number) {
  const { port } = job.ports[number % job.ports.length];
  const socket = net.connect({ host: '127.0.0.1', port, noDelay: true });
  // A request that never changes is rendered once.
  const isFixed = (job.request.path + (job.request.body ?? '')).search(PLACEHOLDER) < 0;
  const fixed = isFixed ? Buffer.from(render(job.request, 0, 0)) : null;
  let sent = 0;
  let sentAt = 0;
  let pending = NOTHING;

  const next = () => {
    sentAt = performance.now();
    socket.write(fixed ?? render(job.request, number, sent));
    sent += 1;
  };
  const finish = (status) => {
    if (status !== '200') {
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
    const length = responseLength(pending);
    if (length === 0) return;
    const status = pending.toString('latin1', 9, 12);
    pending = pending.subarray(length);
    finish(status);
  });
  socket.on('error', (error) => {
    failed += 1;
    firstFailure ??= error.message;
  });
}

for (let number = 0; number < job.connections; number += 1) connect(number);

setTimeout(() => {
  measuring = true;
  const started = performance.now();
  setTimeout(() => {
    measuring = false;
    running = false;
    const seconds = (performance.now() - started) / 1000;
    const sorted = samples.subarray(0, sampled).sort();
    const at = (share) => sorted[Math.min(sampled - 1, Math.floor(sampled * share))] ?? null;
    const result = { perSecond: done / seconds, p50Ms: at(0.5), p99Ms: at(0.99), failed, firstFailure };
    process.stdout.write(`${JSON.stringify(result)}\n`, () => process.exit(0));
  }, job.seconds * 1000);
}, job.warmUpSeconds * 1000);
