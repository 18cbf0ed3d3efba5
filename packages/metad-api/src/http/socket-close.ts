import type { Socket } from 'node:net';

const listenersOf = new WeakMap<Socket, Set<() => void>>();

/**
 * Calls `listener` when the connection closes, until the returned function is called; at once when it is closed. The
 * connection and not the response is asked: a response behind another one on the same connection never hears of it.
 * One listener on the socket serves however many requests a client sends ahead.
 */
export function onSocketClose(socket: Socket, listener: () => void): () => void {
  if (socket.destroyed) {
    listener();
    return () => undefined;
  }
  const listeners = listenersOf.get(socket) ?? watch(socket);
  listeners.add(listener);
  return () => listeners.delete(listener);
}

function watch(socket: Socket): Set<() => void> {
  const listeners = new Set<() => void>();
  listenersOf.set(socket, listeners);
  socket.once('close', () => {
    for (const listener of listeners) listener();
  });
  return listeners;
}
