// Loaded before a server's own code, in each of its threads, by `node --expose-gc --import`: what is to be measured then
// is what is held, and not what has yet to be collected. On a message of the bench all threads collect their garbage; the
// answer is what their heaps hold after it, in bytes. See `heldBytes` in ../processes.mjs.

import { isMainThread } from 'node:worker_threads';

/** Threads that have not answered by then have ended. */
const ANSWERS_MS = 1000;

const toThreads = new BroadcastChannel('collect garbage');
const toMain = new BroadcastChannel('garbage is collected');
if (isMainThread) {
  process.on('message', collectAll);
  process.channel.unref();
} else {
  toThreads.onmessage = () => toMain.postMessage(collect());
}
// They keep no thread alive that would end without them.
toThreads.unref();
toMain.unref();

function collectAll() {
  let heap = collect();
  toMain.onmessage = ({ data }) => {
    heap += data;
  };
  toThreads.postMessage(null);
  setTimeout(() => process.send({ heap }), ANSWERS_MS);
}

/** Twice: what the first collection finalizes is freed by the second one. */
function collect() {
  globalThis.gc();
  globalThis.gc();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}
