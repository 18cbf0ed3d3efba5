/** Bytes from another node that are not what the protocol says: closes the connection they came over. */
export class WireError extends Error {
  override readonly name = 'WireError';
}

/**
 * Reads the part of msgpack that peer frames are made of, value by value, as the decoder asks for it.
 *
 * Frames are written with msgpackr, but not read with it: what arrives is not trusted yet, and a general decoder
 * builds whatever the bytes describe (extension types, records, nesting of any depth) before anyone can judge it.
 * Here a value of another type than the one asked for is an error, and nothing is allocated beyond the bytes at hand.
 */
export class WireReader {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  #position = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  /** A safe, non-negative integer. */
  integer(): number {
    const type = this.#byte();
    if (type <= POSITIVE_FIXINT_MAX) return type;
    switch (type) {
      case UINT8:
        return this.#byte();
      case UINT16:
        return this.#view.getUint16(this.#skip(2));
      case UINT32:
        return this.#view.getUint32(this.#skip(4));
      // msgpackr writes integers beyond 32 bits as doubles, which hold every safe integer exactly.
      case FLOAT64:
        return safeInteger(this.#view.getFloat64(this.#skip(8)));
      default:
        throw mismatch('a non-negative integer', type);
    }
  }

  boolean(): boolean {
    const type = this.#byte();
    if (type !== TRUE && type !== FALSE) throw mismatch('a boolean', type);
    return type === TRUE;
  }

  /** Consumes the next value only if it is nil. */
  skipNil(): boolean {
    if (this.#bytes[this.#position] !== NIL) return false;
    this.#position += 1;
    return true;
  }

  string(): string {
    const start = this.#skip(this.#stringLength());
    try {
      return utf8.decode(this.#bytes.subarray(start, this.#position));
    } catch (cause) {
      throw new WireError('a string is not UTF-8', { cause });
    }
  }

  /** A copy of its own: what is kept of a frame must not keep the whole frame alive. */
  binary(): Uint8Array {
    const start = this.#skip(this.#binaryLength());
    return new Uint8Array(this.#bytes.subarray(start, this.#position));
  }

  /** Without copying them: they keep the whole frame alive. */
  view(): Uint8Array {
    const start = this.#skip(this.#binaryLength());
    return new Uint8Array(this.#bytes.buffer, this.#bytes.byteOffset + start, this.#position - start);
  }

  /** Reads the header of an array and returns how many values follow. */
  array(): number {
    const type = this.#byte();
    if (type >= FIXARRAY && type <= FIXARRAY_MAX) return this.#count(type - FIXARRAY);
    if (type === ARRAY16) return this.#count(this.#view.getUint16(this.#skip(2)));
    if (type === ARRAY32) return this.#count(this.#view.getUint32(this.#skip(4)));
    throw mismatch('an array', type);
  }

  /** Reads the header of an array that must hold exactly `length` values. */
  tuple(length: number): void {
    const found = this.array();
    if (found !== length) throw new WireError(`expected ${length} fields, found ${found}`);
  }

  /** Reads the header of a map and returns how many pairs follow. */
  map(): number {
    const type = this.#byte();
    if (type >= FIXMAP && type <= FIXMAP_MAX) return this.#count(type - FIXMAP);
    if (type === MAP16) return this.#count(this.#view.getUint16(this.#skip(2)));
    if (type === MAP32) return this.#count(this.#view.getUint32(this.#skip(4)));
    throw mismatch('a map', type);
  }

  /** Nothing may follow the last value. */
  end(): void {
    const left = this.#bytes.byteLength - this.#position;
    if (left > 0) throw new WireError(`${left} bytes follow the end of the frame's content`);
  }

  #stringLength(): number {
    const type = this.#byte();
    if (type >= FIXSTR && type <= FIXSTR_MAX) return type - FIXSTR;
    if (type === STR8) return this.#byte();
    if (type === STR16) return this.#view.getUint16(this.#skip(2));
    if (type === STR32) return this.#view.getUint32(this.#skip(4));
    throw mismatch('a string', type);
  }

  #binaryLength(): number {
    const type = this.#byte();
    if (type === BIN8) return this.#byte();
    if (type === BIN16) return this.#view.getUint16(this.#skip(2));
    if (type === BIN32) return this.#view.getUint32(this.#skip(4));
    throw mismatch('bytes', type);
  }

  /** Every value takes at least one byte: a larger count is a lie, found before anything is made for it. */
  #count(length: number): number {
    if (length > this.#bytes.byteLength - this.#position) throw truncated();
    return length;
  }

  #byte(): number {
    const value = this.#bytes[this.#position];
    if (value === undefined) throw truncated();
    this.#position += 1;
    return value;
  }

  /** Moves on by `length` bytes and returns where they start. */
  #skip(length: number): number {
    const start = this.#position;
    if (length > this.#bytes.byteLength - start) throw truncated();
    this.#position = start + length;
    return start;
  }
}

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

function safeInteger(value: number): number {
  if (!Number.isSafeInteger(value) || value < 0)
    throw new WireError(`not a safe non-negative integer: ${value}`);
  return value;
}

function mismatch(expected: string, type: number): WireError {
  return new WireError(`expected ${expected}, found a value of type 0x${type.toString(16)}`);
}

function truncated(): WireError {
  return new WireError('the frame ends in the middle of a value');
}

// First bytes of msgpack values, from the msgpack specification.
const POSITIVE_FIXINT_MAX = 0x7f;
const FIXMAP = 0x80;
const FIXMAP_MAX = 0x8f;
const FIXARRAY = 0x90;
const FIXARRAY_MAX = 0x9f;
const FIXSTR = 0xa0;
const FIXSTR_MAX = 0xbf;
const NIL = 0xc0;
const FALSE = 0xc2;
const TRUE = 0xc3;
const BIN8 = 0xc4;
const BIN16 = 0xc5;
const BIN32 = 0xc6;
const FLOAT64 = 0xcb;
const UINT8 = 0xcc;
const UINT16 = 0xcd;
const UINT32 = 0xce;
const STR8 = 0xd9;
const STR16 = 0xda;
const STR32 = 0xdb;
const ARRAY16 = 0xdc;
const ARRAY32 = 0xdd;
const MAP16 = 0xde;
const MAP32 = 0xdf;
