import type { RequestListener } from 'node:http';

/**
 * Begins each request of a connection when the one before it is answered. Node hands over at once what a client sends
 * without waiting for answers, and a request without a body would overtake the write before it.
 */
export function inOrder(listener: RequestListener): RequestListener {
  return (incoming, outgoing) => {
    // An answer gets the socket when it is its turn.
    if (outgoing.socket !== null) listener(incoming, outgoing);
    else outgoing.once('socket', () => listener(incoming, outgoing));
  };
}
