// What Node alone can do: node:http that answers a body once it is synced to a file here and to one of a follower. No
// elections, no state, nothing is read back: what any replicated service in Node on this machine has to pay. Prints its port.

import fs from 'node:fs';
import http from 'node:http';
import net from 'node:net';

const { file, followers } = JSON.parse(process.argv[2]);
/** Room that is reserved, and then written over again and again: so a sync has no metadata to write. */
const ROOM = 16 * 1024 * 1024;
const HEADER_BYTES = 8;

const fd = fs.openSync(file, 'w+');
fs.writeSync(fd, Buffer.alloc(ROOM));
fs.fsyncSync(fd);
let at = 0;

/** Calls back when the bytes are on the disk. */
function append(bytes, onSynced) {
  if (at + bytes.length > ROOM) at = 0;
  fs.writeSync(fd, bytes, 0, bytes.length, at);
  at += bytes.length;
  fs.fdatasync(fd, (error) => {
    if (error) throw error;
    onSynced();
  });
}

/** Calls `onFrame` with the number and the bytes of each frame that comes. */
function readFrames(socket, onFrame) {
  let pending = Buffer.alloc(0);
  socket.on('data', (chunk) => {
    pending = pending.length === 0 ? chunk : Buffer.concat([pending, chunk]);
    while (pending.length >= HEADER_BYTES && pending.length >= HEADER_BYTES + pending.readUInt32LE(0)) {
      const end = HEADER_BYTES + pending.readUInt32LE(0);
      onFrame(pending.readUInt32LE(4), pending.subarray(HEADER_BYTES, end));
      pending = pending.subarray(end);
    }
  });
}

function frame(number, bytes) {
  const header = Buffer.allocUnsafe(HEADER_BYTES);
  header.writeUInt32LE(bytes.length, 0);
  header.writeUInt32LE(number, 4);
  return Buffer.concat([header, bytes]);
}

/** Syncs what has come meanwhile, all of it at once, and says up to which frame. */
function follow() {
  const server = net.createServer({ noDelay: true }, (socket) => {
    let waiting = [];
    let isSyncing = false;
    const sync = () => {
      const frames = waiting;
      waiting = [];
      isSyncing = true;
      const done = () => {
        isSyncing = false;
        socket.write(frame(frames.at(-1).number, Buffer.alloc(0)));
        if (waiting.length > 0) sync();
      };
      append(Buffer.concat(frames.map(({ bytes }) => bytes)), done);
    };
    readFrames(socket, (number, bytes) => {
      waiting.push({ number, bytes });
      if (!isSyncing) sync();
    });
  });
  server.listen(0, '127.0.0.1', () => process.stdout.write(`${server.address().port}\n`));
}

function lead() {
  let waiting = [];
  let isSyncing = false;
  let last = 0;
  let synced = 0;
  let acknowledged = 0;
  const batches = [];
  const sockets = followers.map((port) => {
    const socket = net.connect({ port, host: '127.0.0.1', noDelay: true });
    readFrames(socket, (number) => {
      acknowledged = Math.max(acknowledged, number);
      answer();
    });
    return socket;
  });

  const answer = () => {
    while (batches.length > 0 && batches[0].number <= Math.min(synced, acknowledged)) {
      for (const response of batches.shift().responses) response.end('"OK"');
    }
  };
  const write = () => {
    if (isSyncing || waiting.length === 0) return;
    const taken = waiting;
    waiting = [];
    isSyncing = true;
    last += 1;
    const number = last;
    const bytes = Buffer.concat(taken.map(({ body }) => body));
    for (const socket of sockets) socket.write(frame(number, bytes));
    batches.push({ number, responses: taken.map(({ response }) => response) });
    append(bytes, () => {
      isSyncing = false;
      synced = number;
      answer();
      write();
    });
  };
  const server = http.createServer((request, response) => {
    const chunks = [];
    request.on('data', (chunk) => chunks.push(chunk));
    request.on('end', () => {
      waiting.push({ body: Buffer.concat(chunks), response });
      // Whatever else has come in this turn goes with it.
      if (waiting.length === 1) setImmediate(write);
    });
  });
  server.listen(0, '127.0.0.1', () => process.stdout.write(`${server.address().port}\n`));
}

if (followers === null) follow();
else lead();
