import { IncomingMessage } from 'node:http';
import type { Context } from 'hono';
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

/** Reads Node's own request where there is one: a Web Request around it costs more than many writes do. */
export function bodyOf(c: Context): BodySource {
  const env: unknown = c.env;
  const incoming = typeof env === 'object' && env !== null && 'incoming' in env ? env.incoming : undefined;
  if (incoming instanceof IncomingMessage) return nodeBody(incoming);
  return webBody(c.req.raw);
}

function nodeBody(incoming: IncomingMessage): BodySource {
  return {
    announced: Number(incoming.headers['content-length'] ?? 0),
    read: (take) =>
      new Promise((resolve, reject) => {
        const settle = (error?: Error) => {
          incoming.off('data', onData).off('end', settle).off('error', settle).off('close', onClose);
          if (error === undefined) resolve();
          else reject(error);
        };
        const onData = (chunk: Uint8Array) => {
          if (take(chunk)) return;
          incoming.pause();
          settle();
        };
        const onClose = () => settle(new Error('the request broke off'));
        incoming.on('data', onData).once('end', settle).once('error', settle).once('close', onClose);
      }),
  };
}

function webBody(request: Request): BodySource {
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
  const refusal = refuse<string>(tooLarge(`the body is longer than ${maxBytes} bytes`));
  const { announced } = source;
  const droppedFrom = maxBytes * DROPPED_MULTIPLE;
  if (announced > droppedFrom) return refusal;
  const decoder = new TextDecoder();
  let text = '';
  let bytes = 0;
  await source.read((chunk) => {
    bytes += chunk.byteLength;
    if (Math.max(bytes, announced) <= maxBytes) text += decoder.decode(chunk, { stream: true });
    return bytes <= droppedFrom;
  });
  return Math.max(bytes, announced) > maxBytes ? refusal : ok(text + decoder.decode());
}
