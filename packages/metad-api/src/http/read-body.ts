import { type Checked, ok, refuse, tooLarge } from './problem.ts';

/**
 * How much of a body that is too large is still taken off the wire and dropped, as a multiple of what is allowed. A
 * client that sends everything before it reads would otherwise find its connection reset instead of the answer.
 */
const DROPPED_MULTIPLE = 8;

/**
 * Reads a body of at most `maxBytes` as UTF-8; what is no UTF-8 becomes U+FFFD. No more than that is ever held,
 * whatever its length was announced to be.
 */
export async function readBody(request: Request, maxBytes: number): Promise<Checked<string>> {
  const refusal = refuse<string>(tooLarge(`the body is longer than ${maxBytes} bytes`));
  const announced = Number(request.headers.get('content-length') ?? 0);
  const droppedFrom = maxBytes * DROPPED_MULTIPLE;
  if (announced > droppedFrom) return refusal;
  if (request.body === null) return ok('');
  const decoder = new TextDecoder();
  let text = '';
  let bytes = 0;
  for await (const chunk of request.body) {
    bytes += chunk.byteLength;
    if (bytes > droppedFrom) break;
    if (Math.max(bytes, announced) <= maxBytes) text += decoder.decode(chunk, { stream: true });
  }
  return Math.max(bytes, announced) > maxBytes ? refusal : ok(text + decoder.decode());
}
