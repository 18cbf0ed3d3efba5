import { type Checked, ok, refuse, tooLarge } from './problem.ts';

/**
 * Reads a body of at most `maxBytes` as UTF-8; what is no UTF-8 becomes U+FFFD. Stops reading as soon as it is too
 * large, whatever its length was announced to be.
 */
export async function readBody(request: Request, maxBytes: number): Promise<Checked<string>> {
  const refusal = refuse<string>(tooLarge(`the body is longer than ${maxBytes} bytes`));
  if (Number(request.headers.get('content-length') ?? 0) > maxBytes) return refusal;
  if (request.body === null) return ok('');
  const decoder = new TextDecoder();
  let text = '';
  let bytes = 0;
  for await (const chunk of request.body) {
    bytes += chunk.byteLength;
    if (bytes > maxBytes) return refusal;
    text += decoder.decode(chunk, { stream: true });
  }
  return ok(text + decoder.decode());
}
