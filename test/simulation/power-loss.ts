import { closeSync, openSync, readSync, statSync, truncateSync, writeSync } from 'node:fs';
import type { Random } from '@metad/raft-core/simulation';
import { readWal, WAL_HEADER_BYTES, type WalPosition } from './wal-file.ts';

/** What a disk writes at once. */
const SECTOR_BYTES = 512;

/**
 * Leaves of a write-ahead log what a loss of power may leave: all that a sync has covered, and of the rest, in the order
 * in which the disk has got it, some. SQLite syncs the log's header when it begins the file anew, so that is there; and
 * it syncs all of the log before it moves pages from it, so what is in the main file counts as `synced` here.
 */
export function loseWalEnd(file: string, synced: readonly WalPosition[], random: Random): void {
  const wal = readWal(file);
  if (wal === null) return;
  const { frames, frameBytes } = wal;
  const marks = synced.filter(({ salt }) => salt === wal.salt).map((mark) => mark.frames);
  // A mark may have counted frames of a future that was lost: when those before them are written once more, byte for byte,
  // they count again, until others are written in their place.
  const safe = Math.min(frames, Math.max(0, ...marks));
  const kept = safe + random.below(frames - safe + 1);
  if (kept === frames) return;
  const end = WAL_HEADER_BYTES + kept * frameBytes;
  switch (random.below(4)) {
    case 0:
      truncateSync(file, end);
      return;
    case 1: // The last frame is torn.
      truncateSync(file, end + random.below(frameBytes));
      return;
    case 2: // A sector has not arrived, and what was written behind it has.
      garble(file, end + random.below(frameBytes - SECTOR_BYTES));
      return;
    default: // The file's length has arrived, and its bytes have not.
      clear(file, end);
  }
}

/** A file that was written and never synced may have its length and not its bytes, or neither. */
export function loseFileEnd(file: string, random: Random): void {
  const from = random.below(statSync(file).size);
  if (random.chance(0.5)) truncateSync(file, from);
  else clear(file, from);
}

function garble(file: string, at: number): void {
  withFile(file, (handle) => {
    const sector = Buffer.alloc(SECTOR_BYTES);
    readSync(handle, sector, 0, SECTOR_BYTES, at);
    for (let i = 0; i < SECTOR_BYTES; i += 1) sector[i] = (sector[i] ?? 0) ^ 0x5a;
    writeSync(handle, sector, 0, SECTOR_BYTES, at);
  });
}

function clear(file: string, from: number): void {
  const rest = Buffer.alloc(statSync(file).size - from);
  withFile(file, (handle) => void writeSync(handle, rest, 0, rest.length, from));
}

function withFile(file: string, act: (handle: number) => void): void {
  const handle = openSync(file, 'r+');
  try {
    act(handle);
  } finally {
    closeSync(handle);
  }
}
