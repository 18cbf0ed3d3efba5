import { existsSync, readFileSync } from 'node:fs';

/** So many transactions' frames of one generation. SQLite draws a new salt whenever it begins the file anew. */
export interface WalPosition {
  readonly salt: string;
  readonly frames: number;
}

/** A write-ahead log as SQLite finds it when it opens a database after a crash. */
export interface Wal extends WalPosition {
  readonly frameBytes: number;
}

export const WAL_HEADER_BYTES = 32;
const FRAME_HEADER_BYTES = 24;
/** Says that checksums are over little-endian words, as SQLite writes them on all machines that Node runs on. */
const MAGIC = 0x377f0682;

/**
 * Counts the frames up to the last whole transaction, by salts and checksums: what lies behind, of earlier generations
 * or torn, counts for nothing. Null when there is no log. See "WAL-mode File Format" in SQLite's documentation.
 */
export function readWal(file: string): Wal | null {
  if (!existsSync(file)) return null;
  const bytes = new Uint8Array(readFileSync(file));
  if (bytes.length < WAL_HEADER_BYTES) return null;
  const header = new DataView(bytes.buffer);
  if (header.getUint32(0) !== MAGIC) throw new Error(`${file} is no write-ahead log of this machine`);
  const frameBytes = FRAME_HEADER_BYTES + header.getUint32(8);
  const words = new Uint32Array(bytes.buffer, 0, Math.floor(bytes.length / 4));
  const sum = checksum(words, { from: 0, to: 24 }, [0, 0]);
  return { salt: saltAt(header, 16), frames: countFrames(header, words, frameBytes, sum), frameBytes };
}

/** Frames that are whole and belong to whole transactions: the last of each says how large the database is then. */
function countFrames(view: DataView, words: Uint32Array, frameBytes: number, before: Checksum): number {
  const salt = saltAt(view, 16);
  let committed = 0;
  let sum = before;
  for (let frame = 1; WAL_HEADER_BYTES + frame * frameBytes <= view.byteLength; frame += 1) {
    const at = WAL_HEADER_BYTES + (frame - 1) * frameBytes;
    sum = checksum(words, { from: at, to: at + 8 }, sum);
    sum = checksum(words, { from: at + FRAME_HEADER_BYTES, to: at + frameBytes }, sum);
    const isWhole = view.getUint32(at + 16) === sum[0] && view.getUint32(at + 20) === sum[1];
    if (!isWhole || saltAt(view, at + 8) !== salt) return committed;
    if (view.getUint32(at + 4) !== 0) committed = frame;
  }
  return committed;
}

function saltAt(view: DataView, at: number): string {
  return `${view.getUint32(at)}.${view.getUint32(at + 4)}`;
}

type Checksum = readonly [number, number];

function checksum(
  words: Uint32Array,
  { from, to }: { readonly from: number; readonly to: number },
  before: Checksum,
): Checksum {
  let [one, two] = before;
  for (let at = from / 4; at < to / 4; at += 2) {
    one = (one + (words[at] ?? 0) + two) >>> 0;
    two = (two + (words[at + 1] ?? 0) + one) >>> 0;
  }
  return [one, two];
}

/** How much of a log is in the main file already, by the index that SQLite keeps beside the log; null without one. */
export function readBackfilled(indexFile: string): WalPosition | null {
  if (!existsSync(indexFile)) return null;
  const bytes = new Uint8Array(readFileSync(indexFile));
  if (bytes.length < INDEX_BACKFILLED + 4) return null;
  const index = new DataView(bytes.buffer);
  return { salt: saltAt(index, INDEX_SALT), frames: index.getUint32(INDEX_BACKFILLED, true) };
}

const INDEX_SALT = 32;
/** `nBackfill`, behind two copies of the header of 48 bytes. */
const INDEX_BACKFILLED = 96;
