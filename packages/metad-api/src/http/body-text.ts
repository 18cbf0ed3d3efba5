import { TextDecoder } from 'node:util';
import { type Checked, invalidJson, ok, refuse } from './problem.ts';

/** No byte is replaced: what is stored is what was sent, or nothing. */
const STRICT = { fatal: true } as const;
const utf8 = new TextDecoder('utf-8', STRICT);

/**
 * The text of a body, from its bytes as they come. Most bodies come in one piece, which is decoded as a whole. Of others
 * no piece is kept as it is: a client may send them byte by byte, and each would take a hundred times its size.
 */
export class BodyText {
  #only: Uint8Array | null = null;
  #decoder: TextDecoder | null = null;
  #text = '';
  #isMalformed = false;

  add(chunk: Uint8Array): void {
    if (this.#isMalformed) return;
    if (this.#decoder === null && this.#only === null) {
      this.#only = chunk;
      return;
    }
    this.#decoder ??= this.#beginPieces();
    this.#take(this.#decoder, chunk, { stream: true });
  }

  /** All of it, unless it is no UTF-8. */
  end(): Checked<string> {
    if (this.#decoder !== null) this.#take(this.#decoder, undefined, { stream: false });
    else if (this.#only !== null) this.#take(utf8, this.#only, { stream: false });
    return this.#isMalformed ? refuse(invalidJson('the body is no UTF-8')) : ok(this.#text);
  }

  #beginPieces(): TextDecoder {
    const decoder = new TextDecoder('utf-8', STRICT);
    if (this.#only !== null) this.#take(decoder, this.#only, { stream: true });
    this.#only = null;
    return decoder;
  }

  #take(decoder: TextDecoder, chunk: Uint8Array | undefined, options: { readonly stream: boolean }): void {
    if (this.#isMalformed) return;
    try {
      this.#text += decoder.decode(chunk, options);
    } catch (error) {
      if (!(error instanceof TypeError)) throw error;
      this.#isMalformed = true;
      this.#text = '';
    }
  }
}
