import { createHash } from 'node:crypto';
import { closeSync, openSync, readSync } from 'node:fs';

const chunkBytes = 1024 * 1024;

/** SHA-256 over a file, some bytes of which count as zeros: where the checksum itself will stand. Throws what fs does. */
export function checksumFile(
  file: string,
  hole: { readonly offset: number; readonly bytes: number },
): Buffer {
  const hash = createHash('sha256');
  const chunk = Buffer.alloc(chunkBytes);
  const handle = openSync(file, 'r');
  try {
    let position = 0;
    for (;;) {
      const count = readSync(handle, chunk, 0, chunkBytes, position);
      if (count === 0) return hash.digest();
      const from = Math.max(hole.offset - position, 0);
      const to = Math.min(hole.offset + hole.bytes - position, count);
      if (from < to) chunk.fill(0, from, to);
      hash.update(chunk.subarray(0, count));
      position += count;
    }
  } finally {
    closeSync(handle);
  }
}
