import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { join } from 'node:path';

/** What Node's file functions have done below a watched directory; called right after it was done. */
export interface FileEvents {
  written(file: string): void;
  renamed(from: string, to: string): void;
  removed(file: string): void;
  /** A file, or a directory with the names in it. */
  synced(file: string): void;
}

const watchers = new Map<string, FileEvents>();
/** Which file each open handle is of. */
const files = new Map<number, string>();
let isWatching = false;

/**
 * Tells of what this thread does to files below `directory`, so that a store need not be believed what it has synced.
 * What SQLite does is not seen here. Returns what ends it.
 */
export function watchFiles(directory: string, events: FileEvents): () => void {
  if (!isWatching) patchFileFunctions();
  isWatching = true;
  const key = join(directory, '/');
  watchers.set(key, events);
  return () => watchers.delete(key);
}

/** Those that a store uses; each does what it did, and then tells. */
function patchFileFunctions(): void {
  const { openSync, closeSync, writeSync, fsyncSync, fdatasyncSync, renameSync, rmSync } = fs;
  Object.assign(fs, {
    openSync(...args: Parameters<typeof openSync>): number {
      const handle = openSync(...args);
      files.set(handle, String(args[0]));
      return handle;
    },
    closeSync(handle: number): void {
      files.delete(handle);
      closeSync(handle);
    },
    writeSync(...args: Parameters<typeof writeSync>): number {
      const count = writeSync(...args);
      tell(files.get(args[0]), (events, file) => events.written(file));
      return count;
    },
    fsyncSync(handle: number): void {
      fsyncSync(handle);
      tell(files.get(handle), (events, file) => events.synced(file));
    },
    fdatasyncSync(handle: number): void {
      fdatasyncSync(handle);
      tell(files.get(handle), (events, file) => events.synced(file));
    },
    renameSync(from: string, to: string): void {
      renameSync(from, to);
      tell(from, (events) => events.renamed(from, to));
    },
    rmSync(...[file, options]: Parameters<typeof rmSync>): void {
      const wasThere = fs.existsSync(file);
      rmSync(file, options);
      if (wasThere) tell(String(file), (events) => events.removed(String(file)));
    },
  });
  syncBuiltinESMExports();
}

function tell(file: string | undefined, act: (events: FileEvents, file: string) => void): void {
  if (file === undefined) return;
  for (const [directory, events] of watchers) if (join(file, '/').startsWith(directory)) act(events, file);
}
