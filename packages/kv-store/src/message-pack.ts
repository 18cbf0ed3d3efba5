import { isAscii, isUtf8 } from 'node:buffer';
import { assert } from '@metad/raft-core';

/*
 * As much of MessagePack as commands need, with one form for each value, so that equal commands have equal bytes in every
 * release. Libraries differ in what they make of the rest: of broken UTF-8, of extensions, of headers that announce a
 * billion items.
 */

/** Lists of strings and of integers from 0 to 127. */
export type Plain = string | number | readonly Plain[];

/** The length up to which a loop is quicker than a call into native code. */
const shortString = 48;

/** What a header takes at most. */
const maxHeaderBytes = 5;

/** The bytes of `value` behind `headBytes` zeros. */
export function packPlain(value: Plain, headBytes: number): Buffer {
  const writer = new PlainWriter(headBytes);
  writer.write(value);
  return writer.finish();
}

/**
 * The one value that the bytes from `start` on hold; undefined when they hold anything else, or lists more than
 * `maxDepth` deep.
 */
export function unpackPlain(bytes: Uint8Array, start: number, maxDepth: number): Plain | undefined {
  const reader = new PlainReader(bytes, start);
  const value = reader.read(maxDepth);
  return reader.isAtEnd ? value : undefined;
}

/** Used by one writer after the other: what is longer gets a buffer of its own. */
const scratch = Buffer.alloc(64 * 1024);

class PlainWriter {
  #buffer = scratch;
  #at: number;

  constructor(headBytes: number) {
    this.#at = headBytes;
    this.#buffer.fill(0, 0, headBytes);
  }

  write(value: Plain): void {
    if (typeof value === 'string') this.#writeString(value);
    else if (typeof value === 'number') this.#writeInteger(value);
    else {
      this.#reserve(maxHeaderBytes);
      this.#writeHeader(value.length, ARRAY);
      for (const item of value) this.write(item);
    }
  }

  finish(): Buffer {
    return Buffer.from(this.#buffer.subarray(0, this.#at));
  }

  #writeInteger(value: number): void {
    assert(Number.isInteger(value) && value >= 0 && value <= 0x7f, 'a plain integer is 0 to 127');
    this.#reserve(1);
    this.#buffer[this.#at++] = value;
  }

  #writeString(value: string): void {
    const length =
      value.length <= shortString && isAsciiText(value) ? value.length : Buffer.byteLength(value);
    this.#reserve(maxHeaderBytes + length);
    this.#writeHeader(length, STRING);
    if (length > shortString || length !== value.length) this.#buffer.write(value, this.#at, length, 'utf8');
    else for (let i = 0; i < length; i++) this.#buffer[this.#at + i] = value.charCodeAt(i);
    this.#at += length;
  }

  #writeHeader(length: number, { fixed, maxFixed, byte, two, four }: typeof STRING): void {
    const buffer = this.#buffer;
    if (length <= maxFixed) buffer[this.#at++] = fixed + length;
    else if (length <= 0xff && byte !== null) {
      buffer[this.#at++] = byte;
      buffer[this.#at++] = length;
    } else if (length <= 0xffff) {
      buffer[this.#at++] = two;
      this.#at = buffer.writeUInt16BE(length, this.#at);
    } else {
      buffer[this.#at++] = four;
      this.#at = buffer.writeUInt32BE(length, this.#at);
    }
  }

  #reserve(bytes: number): void {
    if (this.#at + bytes <= this.#buffer.length) return;
    const larger = Buffer.allocUnsafe(2 * (this.#at + bytes));
    this.#buffer.copy(larger, 0, 0, this.#at);
    this.#buffer = larger;
  }
}

const STRING: { fixed: number; maxFixed: number; byte: number | null; two: number; four: number } = {
  fixed: 0xa0,
  maxFixed: 31,
  byte: 0xd9,
  two: 0xda,
  four: 0xdb,
};

const ARRAY: typeof STRING = { fixed: 0x90, maxFixed: 15, byte: null, two: 0xdc, four: 0xdd };

function isAsciiText(value: string): boolean {
  for (let i = 0; i < value.length; i++) if (value.charCodeAt(i) > 0x7f) return false;
  return true;
}

class PlainReader {
  readonly #bytes: Buffer;
  #at: number;

  constructor(bytes: Uint8Array, start: number) {
    this.#bytes = Buffer.isBuffer(bytes)
      ? bytes
      : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#at = start;
  }

  /** False, too, once something was found that is not plain. */
  get isAtEnd(): boolean {
    return this.#at === this.#bytes.length;
  }

  read(depth: number): Plain {
    const type = this.#bytes[this.#at++] ?? INVALID;
    if (type <= 0x7f) return type;
    if (type >= 0x90 && type <= 0x9f) return this.#readArray(type & 0x0f, depth);
    if (type >= 0xa0 && type <= 0xbf) return this.#readString(type & 0x1f);
    switch (type) {
      case 0xd9:
        return this.#readString(this.#readLength(1));
      case 0xda:
        return this.#readString(this.#readLength(2));
      case 0xdb:
        return this.#readString(this.#readLength(4));
      case 0xdc:
        return this.#readArray(this.#readLength(2), depth);
      case 0xdd:
        return this.#readArray(this.#readLength(4), depth);
      default:
        return this.#refuse();
    }
  }

  /** A list that claims more items than there are bytes is none. */
  #readArray(length: number, depth: number): Plain {
    if (depth === 0 || !(length <= this.#bytes.length - this.#at)) return this.#refuse();
    const items: Plain[] = [];
    for (let item = 0; item < length && this.#at < this.#bytes.length; item++)
      items.push(this.read(depth - 1));
    return items.length === length ? items : this.#refuse();
  }

  #readString(length: number): Plain {
    const start = this.#at;
    const end = start + length;
    if (!(end <= this.#bytes.length)) return this.#refuse();
    this.#at = end;
    if (this.#isAscii(start, end)) return this.#bytes.toString('latin1', start, end);
    return isUtf8(this.#bytes.subarray(start, end))
      ? this.#bytes.toString('utf8', start, end)
      : this.#refuse();
  }

  #isAscii(start: number, end: number): boolean {
    const bytes = this.#bytes;
    if (end - start > shortString) return isAscii(bytes.subarray(start, end));
    for (let at = start; at < end; at++) if ((bytes[at] ?? INVALID) > 0x7f) return false;
    return true;
  }

  /** A big-endian length of `width` bytes; NaN when they are not all there. */
  #readLength(width: number): number {
    let length = 0;
    for (let i = 0; i < width; i++) length = length * 256 + (this.#bytes[this.#at++] ?? Number.NaN);
    return length;
  }

  /** Nothing that follows is read, and the end is never reached. */
  #refuse(): Plain {
    this.#at = Number.POSITIVE_INFINITY;
    return 0;
  }
}

/** A type that MessagePack never uses. */
const INVALID = 0xc1;
