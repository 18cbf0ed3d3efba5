import type { IncomingMessage, Server } from 'node:http';

/** Bodies that their clients hold back (`Expect: 100-continue`), and what asks for them. */
const invitations = new WeakMap<IncomingMessage, () => void>();

/**
 * Asks for a body that is held back only when somebody reads it: Node would ask for each, and one that is then refused
 * would have been sent for nothing.
 */
export function inviteOnRead(server: Server): void {
  server.on('checkContinue', (incoming, outgoing) => {
    const { shouldKeepAlive } = outgoing;
    // Once it is answered uninvited, nobody knows whether the body follows or the next request.
    outgoing.shouldKeepAlive = false;
    invitations.set(incoming, () => {
      outgoing.shouldKeepAlive = shouldKeepAlive;
      outgoing.writeContinue();
    });
    server.emit('request', incoming, outgoing);
  });
}

export function isHeldBack(incoming: IncomingMessage): boolean {
  return invitations.has(incoming);
}

/** To be called by whoever begins to read the body. */
export function inviteBody(incoming: IncomingMessage): void {
  const invite = invitations.get(incoming);
  invitations.delete(incoming);
  invite?.();
}
