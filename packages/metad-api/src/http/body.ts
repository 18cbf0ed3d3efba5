import type { ServerResponse } from 'node:http';

/** A text; a large one in pieces of its bytes, which any number of connections can send without a copy each. */
export type Body = string | readonly Buffer[];

export function bytesIn(body: Body): number {
  if (typeof body === 'string') return Buffer.byteLength(body);
  let length = 0;
  for (const piece of body) length += piece.length;
  return length;
}

/** Sends the pieces as fast as the client takes them, one in a turn of the event loop, and ends the response. */
export function sendPieces(outgoing: ServerResponse, pieces: readonly Buffer[]): void {
  let next = 0;
  const send = (): void => {
    const piece = pieces[next];
    next += 1;
    if (piece === undefined) outgoing.end();
    else if (outgoing.write(piece)) setImmediate(send);
    // A socket that takes all at once drains in the same turn.
    else outgoing.once('drain', () => setImmediate(send));
  };
  send();
}
