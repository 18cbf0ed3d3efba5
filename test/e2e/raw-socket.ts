import net from 'node:net';

/** Longer than any node of these tests lets a client take. */
const LIMIT_MS = 50_000;
const MAX_REPLY_CHARS = 100_000;

/**
 * Sends bytes as they are and resolves, once the other end has closed the connection, to what it said. Rejects when it
 * keeps the connection open.
 */
export function sendRaw(port: number, ...chunks: readonly (string | Buffer)[]): Promise<string> {
  return exchange(port, chunks, false);
}

/** The same, but this end has nothing more to say: the other one need not close the connection by itself. */
export function sendRawAndEnd(port: number, ...chunks: readonly (string | Buffer)[]): Promise<string> {
  return exchange(port, chunks, true);
}

function exchange(port: number, chunks: readonly (string | Buffer)[], end: boolean): Promise<string> {
  return new Promise((resolve, reject) => {
    let reply = '';
    const socket = net.connect({ host: '127.0.0.1', port });
    socket.setTimeout(LIMIT_MS, () =>
      socket.destroy(new Error(`port ${port} neither answers nor closes: ${reply}`)),
    );
    socket.setEncoding('latin1').on('data', (text) => {
      reply = (reply + text).slice(-MAX_REPLY_CHARS);
    });
    socket.on('error', (error) => {
      // A reset is a way of closing too: the other end had not read all of it.
      if ('code' in error && (error.code === 'ECONNRESET' || error.code === 'EPIPE')) resolve(reply);
      else reject(error);
    });
    socket.on('close', () => resolve(reply));
    for (const chunk of chunks) socket.write(chunk);
    if (end) socket.end();
  });
}
