import { connect } from 'node:net';
import { HOST } from './cluster.mjs';

/**
 * Clients that read without a pause, each on one connection, one request under way. They speak just enough HTTP over plain
 * sockets, so that they use little of the processors that the nodes need.
 */
export class Clients {
  /** Why the first request failed; null while none has. */
  failure = null;
  #request;
  #answered = new Map();
  #sockets = new Set();

  /** @param {string} path */
  constructor(path) {
    this.#request = `GET ${path} HTTP/1.1\r\nHost: ${HOST}\r\nAccept: application/json\r\n\r\n`;
  }

  /** Leaves whatever was asked before, and spreads as many connections over these metadata ports. */
  spread(ports, connections) {
    this.stop();
    for (let i = 0; i < connections; i += 1) this.#connect(ports[i % ports.length]);
  }

  /** Answers so far, by all nodes or by one. */
  answered(port = null) {
    if (port !== null) return this.#answered.get(port) ?? 0;
    return [...this.#answered.values()].reduce((sum, count) => sum + count, 0);
  }

  stop() {
    for (const socket of this.#sockets) socket.destroy();
    this.#sockets.clear();
  }

  #connect(port) {
    const socket = connect({ host: HOST, port, noDelay: true });
    this.#sockets.add(socket);
    let pending = '';
    socket.setEncoding('latin1');
    socket.on('connect', () => socket.write(this.#request));
    socket.on('data', (text) => {
      pending += text;
      const length = answerLength(pending);
      if (length === null || pending.length < length) return;
      if (!pending.startsWith('HTTP/1.1 200 ')) this.failure ??= `node at ${port}: ${pending.slice(0, 200)}`;
      this.#answered.set(port, this.answered(port) + 1);
      pending = pending.slice(length);
      socket.write(this.#request);
    });
    socket.on('error', (error) => {
      this.failure ??= `node at ${port}: ${error.message}`;
    });
  }
}

/** Of the whole answer at the beginning of a text; null while its head is not there. */
function answerLength(text) {
  const head = text.indexOf('\r\n\r\n');
  if (head < 0) return null;
  const [, body] = /^content-length: (\d+)/im.exec(text.slice(0, head)) ?? [];
  return head + 4 + Number(body ?? 0);
}
