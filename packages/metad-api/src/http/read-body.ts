import type { IncomingMessage } from 'node:http';
import { BodyText } from './body-text.ts';
import { inviteBody, isHeldBack } from './invite-body.ts';
import { type Checked, CLIENT_GONE, refuse, tooLarge } from './problem.ts';

/**
 * How much of a body that is too large is still taken off the wire and dropped, as a multiple of what is allowed. A
 * client that sends everything before it reads would otherwise find its connection reset instead of the answer.
 */
const DROPPED_MULTIPLE = 8;

/** A body that has not been read yet, and what its length is said to be. */
export interface BodySource {
  readonly announced: number;
  /** Whether its client sends it only once it is read. */
  readonly isHeldBack: boolean;
  /** Calls `take` with each chunk until that returns false. */
  read(take: (chunk: Uint8Array) => boolean): Promise<BodyEnd>;
}

/** A body breaks off when its client goes, or takes too long: that is no error of ours. */
export type BodyEnd = 'read' | 'brokenOff';

/** Of Node's own request: a Web Request around it costs more than many writes do. */
export function nodeBody(incoming: IncomingMessage): BodySource {
  return {
    announced: Number(incoming.headers['content-length'] ?? 0),
    isHeldBack: isHeldBack(incoming),
    read: (take) =>
      new Promise((resolve) => {
        inviteBody(incoming);
        const onData = (chunk: Uint8Array) => {
          if (take(chunk)) return;
          incoming.pause().off('data', onData);
          resolve('read');
        };
        // The last event of every request, of one that broke off as well.
        const onClose = () => resolve(incoming.readableEnded ? 'read' : 'brokenOff');
        incoming
          .on('data', onData)
          .on('end', () => resolve('read'))
          .on('close', onClose);
      }),
  };
}

/** Of a request without a socket: only a bug lets its body break off. */
export function webBody(request: Request): BodySource {
  return {
    announced: Number(request.headers.get('content-length') ?? 0),
    isHeldBack: false,
    async read(take) {
      if (request.body !== null) for await (const chunk of request.body) if (!take(chunk)) break;
      return 'read';
    },
  };
}

/**
 * Reads a body of at most `maxBytes`, which must be UTF-8. No more than that is ever held, whatever its length was
 * announced to be.
 */
export async function readBody(source: BodySource, maxBytes: number): Promise<Checked<string>> {
  const { announced, isHeldBack } = source;
  const droppedFrom = maxBytes * DROPPED_MULTIPLE;
  let text = new BodyText();
  let bytes = 0;
  if (announced <= (isHeldBack ? maxBytes : droppedFrom)) {
    const end = await source.read((chunk) => {
      bytes += chunk.byteLength;
      if (Math.max(bytes, announced) <= maxBytes) text.add(chunk);
      else text = new BodyText();
      return bytes <= droppedFrom;
    });
    if (end === 'brokenOff') return refuse(CLIENT_GONE);
  }
  if (Math.max(bytes, announced) > maxBytes)
    return refuse(tooLarge(`the body is longer than ${maxBytes} bytes`));
  return text.end();
}
