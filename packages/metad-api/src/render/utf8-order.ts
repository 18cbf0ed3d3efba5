/**
 * Orders two well-formed strings by their UTF-8 bytes. JavaScript's own order is by UTF-16 units, which differs where
 * a surrogate pair (U+10000 and up) meets U+E000 to U+FFFF.
 */
export function compareUtf8(a: string, b: string): number {
  const length = Math.min(a.length, b.length);
  for (let i = 0; i < length; i += 1) {
    const x = a.charCodeAt(i);
    const y = b.charCodeAt(i);
    if (x !== y) return compareUnits(x, y);
  }
  return a.length - b.length;
}

/** Orders two strings by the first units in which they differ. */
export function compareUnits(x: number, y: number): number {
  return isSurrogate(x) === isSurrogate(y) ? x - y : isSurrogate(x) ? 1 : -1;
}

function isSurrogate(unit: number): boolean {
  return unit >= 0xd800 && unit <= 0xdfff;
}
