import type { ServerResponse } from 'node:http';

/**
 * Ends an answer with its whole body, so that the socket gets its head and its body as one string. `end(body)` puts an empty
 * chunk behind them, and the socket has to gather the two, which takes longer than to write them.
 */
export function endWith(outgoing: ServerResponse, body: string | Buffer): void {
  const { socket } = outgoing;
  // An answer behind another one on its connection has no socket yet.
  if (socket === null || body.length === 0) {
    outgoing.end(body);
    return;
  }
  socket.cork();
  outgoing.write(body);
  socket.uncork();
  outgoing.end();
}
