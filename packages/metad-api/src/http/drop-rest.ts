import type { IncomingMessage } from 'node:http';

const MAX_DROPPED_BYTES = 64 * 1024 * 1024;
const MAX_DROPPING_MS = 500;

/**
 * Takes what is left of a body off the wire when its request was answered without it, so that the connection can carry
 * the next one, and a client that sends everything before it reads gets the answer. Not for long: it may be endless.
 */
export function dropRest(incoming: IncomingMessage): void {
  if (incoming.destroyed) return;
  let bytes = 0;
  const onData = (chunk: Uint8Array): void => {
    bytes += chunk.byteLength;
    if (bytes > MAX_DROPPED_BYTES) giveUp();
  };
  const stop = (): void => {
    clearTimeout(timer);
    incoming.off('data', onData).off('end', stop).off('close', stop);
  };
  const giveUp = (): void => {
    stop();
    incoming.socket.destroySoon();
  };
  const timer = setTimeout(giveUp, MAX_DROPPING_MS).unref();
  incoming.on('data', onData).on('end', stop).on('close', stop);
  incoming.resume();
}
