import type { IncomingMessage } from 'node:http';
import { BodyText } from './body-text.ts';
import { type Checked, ok, refuse, tooLarge } from './problem.ts';

/**
 * How much of a body that is too large is still taken off the wire and dropped, as a multiple of what is allowed. A
 * client that sends everything before it reads would otherwise find its connection reset instead of the answer.
 */
const DROPPED_MULTIPLE = 8;

/** A body that has not been read yet, and what its length is said to be. */
export interface BodySource {
  readonly announced: number;
  /** Calls `take` with each chunk until that returns false; rejects when the body breaks off. */
  read(take: (chunk: Uint8Array) => boolean): Promise<void>;
}

/** Of Node's own request: a Web Request around it costs more than many writes do. */
export function nodeBody(incoming: IncomingMessage): BodySource {
  return {
    announced: Number(incoming.headers['content-length'] ?? 0),
    read: (take) =>
      new Promise((resolve, reject) => {
        const onData = (chunk: Uint8Array) => {
          if (take(chunk)) return;
          incoming.pause().off('data', onData);
          resolve();
        };
        // The last event of every request. One that broke off tells why only to those who listen for its errors.
        const onClose = () => {
          if (!incoming.readableEnded) reject(new Error('the request broke off'));
        };
        incoming.on('data', onData).on('end', resolve).on('close', onClose);
      }),
  };
}

export function webBody(request: Request): BodySource {
  return {
    announced: Number(request.headers.get('content-length') ?? 0),
    async read(take) {
      if (request.body === null) return;
      for await (const chunk of request.body) if (!take(chunk)) return;
    },
  };
}

/**
 * Reads a body of at most `maxBytes` as UTF-8; what is no UTF-8 becomes U+FFFD. No more than that is ever held,
 * whatever its length was announced to be.
 */
export async function readBody(source: BodySource, maxBytes: number): Promise<Checked<string>> {
  const { announced } = source;
  const droppedFrom = maxBytes * DROPPED_MULTIPLE;
  let text = new BodyText();
  let bytes = 0;
  if (announced <= droppedFrom) {
    await source.read((chunk) => {
      bytes += chunk.byteLength;
      if (Math.max(bytes, announced) <= maxBytes) text.add(chunk);
      else text = new BodyText();
      return bytes <= droppedFrom;
    });
  }
  if (Math.max(bytes, announced) > maxBytes)
    return refuse(tooLarge(`the body is longer than ${maxBytes} bytes`));
  return ok(text.end());
}
