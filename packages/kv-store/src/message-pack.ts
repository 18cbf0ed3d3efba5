import { isUtf8 } from 'node:buffer';

/**
 * Tells whether `bytes` are exactly one MessagePack value made of arrays, strings and integers from 0 to 127, and no
 * list claims more items than there are bytes. Decoders differ in what they make of anything else: of broken UTF-8, of
 * extensions, of a header that announces a billion items. Commands must mean the same on every node.
 */
export function isPlainMessagePack(bytes: Uint8Array, maxDepth: number): boolean {
  return endOfValue(bytes, 0, maxDepth) === bytes.byteLength;
}

/** The offset behind the value at `start`; NaN when there is none, which no comparison lets pass. */
function endOfValue(bytes: Uint8Array, start: number, depth: number): number {
  const type = bytes[start] ?? INVALID;
  if (type <= 0x7f) return start + 1;
  if (type >= 0x90 && type <= 0x9f) return endOfArray(bytes, start + 1, type & 0x0f, depth);
  if (type >= 0xa0 && type <= 0xbf) return endOfString(bytes, start + 1, type & 0x1f);
  switch (type) {
    case 0xd9:
      return endOfString(bytes, start + 2, readLength(bytes, start + 1, 1));
    case 0xda:
      return endOfString(bytes, start + 3, readLength(bytes, start + 1, 2));
    case 0xdb:
      return endOfString(bytes, start + 5, readLength(bytes, start + 1, 4));
    case 0xdc:
      return endOfArray(bytes, start + 3, readLength(bytes, start + 1, 2), depth);
    case 0xdd:
      return endOfArray(bytes, start + 5, readLength(bytes, start + 1, 4), depth);
    default:
      return Number.NaN;
  }
}

/** A type that MessagePack never uses. */
const INVALID = 0xc1;

function endOfArray(bytes: Uint8Array, start: number, length: number, depth: number): number {
  if (depth === 0 || !(length <= bytes.byteLength - start)) return Number.NaN;
  let end = start;
  for (let item = 0; item < length && end <= bytes.byteLength; item++)
    end = endOfValue(bytes, end, depth - 1);
  return end;
}

function endOfString(bytes: Uint8Array, start: number, length: number): number {
  if (!(length <= bytes.byteLength - start)) return Number.NaN;
  return isUtf8(bytes.subarray(start, start + length)) ? start + length : Number.NaN;
}

/** A big-endian length of `width` bytes; NaN when they are not all there. */
function readLength(bytes: Uint8Array, start: number, width: number): number {
  let length = 0;
  for (let offset = start; offset < start + width; offset++)
    length = length * 256 + (bytes[offset] ?? Number.NaN);
  return length;
}
