import { WireError } from './wire-reader.ts';

/** A frame is the length of its body as a big-endian 32-bit number, and then the body. */
export const FRAME_HEADER_BYTES = 4;

/**
 * Cuts a stream of bytes into frames, however the bytes were chunked on their way. Each byte is copied at most once:
 * a body that lies whole in one chunk is a view of it, any other is gathered in a buffer of its final size.
 */
export class FrameParser {
  readonly #maxFrameBytes: number;
  readonly #header = Buffer.alloc(FRAME_HEADER_BYTES);
  #headerFilled = 0;
  /** Being gathered, while it is not complete. */
  #body: Buffer | null = null;
  #bodyFilled = 0;

  constructor(maxFrameBytes: number) {
    this.#maxFrameBytes = maxFrameBytes;
  }

  /**
   * Yields the bodies that `chunk` completes, valid as long as the chunk is. Throws a {@link WireError} at a frame
   * that is too long; the stream can't be read any further then.
   */
  *push(chunk: Buffer): Generator<Buffer, void> {
    let at = 0;
    while (at < chunk.length) {
      if (this.#body) {
        at += this.#gather(this.#body, chunk, at);
        if (this.#bodyFilled < this.#body.length) return;
        const body = this.#body;
        this.#reset();
        yield body;
        continue;
      }
      at += this.#gatherHeader(chunk, at);
      if (this.#headerFilled < FRAME_HEADER_BYTES) return;
      const length = this.#bodyLength();
      if (chunk.length - at < length) {
        this.#body = Buffer.allocUnsafeSlow(length);
        continue;
      }
      this.#reset();
      yield chunk.subarray(at, at + length);
      at += length;
    }
  }

  #gather(body: Buffer, chunk: Buffer, at: number): number {
    const copied = chunk.copy(body, this.#bodyFilled, at);
    this.#bodyFilled += copied;
    return copied;
  }

  #gatherHeader(chunk: Buffer, at: number): number {
    const copied = chunk.copy(this.#header, this.#headerFilled, at);
    this.#headerFilled += copied;
    return copied;
  }

  #bodyLength(): number {
    const length = this.#header.readUInt32BE(0);
    if (length > this.#maxFrameBytes) {
      throw new WireError(`a frame of ${length} bytes is over the limit of ${this.#maxFrameBytes}`);
    }
    return length;
  }

  #reset(): void {
    this.#headerFilled = 0;
    this.#body = null;
    this.#bodyFilled = 0;
  }
}
