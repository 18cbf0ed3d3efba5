import { TextDecoder } from 'node:util';

const utf8 = new TextDecoder();

/**
 * The text of a body, from its bytes as they come. Most bodies come in one piece, which is decoded as a whole. Of others
 * no piece is kept as it is: a client may send them byte by byte, and each would take a hundred times its size.
 */
export class BodyText {
  #only: Uint8Array | null = null;
  #decoder: TextDecoder | null = null;
  #text = '';

  add(chunk: Uint8Array): void {
    if (this.#decoder === null && this.#only === null) {
      this.#only = chunk;
      return;
    }
    const decoder = this.#inPieces();
    this.#text += decoder.decode(chunk, { stream: true });
  }

  /** All of it; what is no UTF-8 is U+FFFD. */
  end(): string {
    if (this.#decoder !== null) return this.#text + this.#decoder.decode();
    return this.#only === null ? '' : utf8.decode(this.#only);
  }

  #inPieces(): TextDecoder {
    if (this.#decoder !== null) return this.#decoder;
    this.#decoder = new TextDecoder();
    if (this.#only !== null) this.#text = this.#decoder.decode(this.#only, { stream: true });
    this.#only = null;
    return this.#decoder;
  }
}
