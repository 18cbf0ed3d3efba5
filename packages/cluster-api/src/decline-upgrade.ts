import type { IncomingMessage, Server } from 'node:http';
import type { Socket } from 'node:net';

/** They speak of the upgrade that is passed over. */
const DROPPED = new Set(['upgrade', 'connection', 'http2-settings']);

/**
 * Has a server answer a request as if it offered no upgrade, as RFC 9110 (7.8) has it for one that is not wanted; curl and
 * Java's client offer HTTP/2 so. Node has let go of such a connection: it gets the request once more, without the offer.
 */
export function declineUpgrade(server: Server, request: IncomingMessage, socket: Socket, head: Buffer): void {
  const { method, url, rawHeaders } = request;
  const lines = [`${method} ${url} HTTP/1.1`];
  for (let at = 0; at < rawHeaders.length; at += 2) {
    const [name, value] = [rawHeaders[at] ?? '', rawHeaders[at + 1] ?? ''];
    if (!DROPPED.has(name.toLowerCase())) lines.push(`${name}: ${value}`);
  }
  const text = `${lines.join('\r\n')}\r\n\r\n`;
  socket.unshift(Buffer.concat([Buffer.from(text, 'latin1'), head]));
  server.emit('connection', socket);
}
