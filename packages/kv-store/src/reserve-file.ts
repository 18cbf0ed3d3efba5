import { closeSync, fstatSync, fsyncSync, ftruncateSync, openSync, writeSync } from 'node:fs';
import { namingFile } from './store-error.ts';

const CHUNK = Buffer.alloc(1024 * 1024);

/**
 * Lengthens a file with zeros up to that size, on disk. To sync what is written over them takes half of the time, and of
 * the work, of syncing what makes a file longer: the file system has nothing to note about the file. Nothing that is in
 * the file is touched. Returns false, with the file as it was, when the disk has no room for it.
 */
export function reserveFile(file: string, bytes: number): boolean {
  return namingFile(file, () => {
    const handle = openSync(file, 'r+');
    try {
      const { size } = fstatSync(handle);
      if (size >= bytes) return true;
      const hasRoom = fill(handle, size, bytes);
      if (!hasRoom) ftruncateSync(handle, size);
      fsyncSync(handle);
      return hasRoom;
    } finally {
      closeSync(handle);
    }
  });
}

function fill(handle: number, from: number, to: number): boolean {
  try {
    for (let at = from; at < to; ) at += writeSync(handle, CHUNK, 0, Math.min(CHUNK.length, to - at), at);
    return true;
  } catch (error) {
    if (isWithoutRoom(error)) return false;
    throw error;
  }
}

/** Also a quota, or a limit on the size of files. */
function isWithoutRoom(error: unknown): boolean {
  return (
    error instanceof Error &&
    'code' in error &&
    (error.code === 'ENOSPC' || error.code === 'EDQUOT' || error.code === 'EFBIG')
  );
}
