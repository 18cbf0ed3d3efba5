import { copyFileSync, existsSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, relative } from 'node:path';
import type { Random } from '@metad/raft-core/simulation';
import { loseFileEnd, loseWalEnd } from './power-loss.ts';
import { readBackfilled, readWal, type WalPosition } from './wal-file.ts';
import { watchFiles } from './watched-files.ts';

/** In memory where there is such a place: these disks lose their power often enough. */
const PARENT = existsSync('/dev/shm') ? '/dev/shm' : tmpdir();

const LOG_WAL = 'log.db-wal';

/**
 * One node's disk: a directory that a crash replaces by a copy of itself, and that knows what a loss of power may take.
 * All names are relative to it.
 */
export class Disk {
  readonly #root = mkdtempSync(join(PARENT, 'metad-simulation-'));
  readonly #random: Random;
  readonly #endWatch: () => void;
  #count = 1;
  /** Whether a copy was made to go on with: what comes until then is done by a process that has ended. */
  #isCopied = false;
  /** Files written since they were last synced. */
  readonly #dirty = new Set<string>();
  /** Since the directory was last synced that the new name is in; the oldest first. */
  #renames: { readonly from: string; readonly to: string }[] = [];
  /** What of each of SQLite's write-ahead logs is on the disk. */
  readonly #marks = new Map<string, WalPosition[]>();

  /** `onChange` is called behind whatever the process does to its files by itself: it may end there. */
  constructor(random: Random, onChange: (what: string) => void) {
    this.#random = random;
    const unlessCopied = (what: string, note: () => void) => {
      if (this.#isCopied) return;
      note();
      onChange(what);
    };
    this.#endWatch = watchFiles(this.#root, {
      written: (file) => unlessCopied('write', () => this.#written(this.#name(file))),
      renamed: (from, to) => unlessCopied('rename', () => this.#renamed(this.#name(from), this.#name(to))),
      removed: (file) => unlessCopied('remove', () => this.#removed(this.#name(file))),
      synced: (file) => unlessCopied('sync', () => this.#synced(this.#name(file))),
    });
  }

  get path(): string {
    return join(this.#root, `${this.#count}`);
  }

  /** SQLite has moved the whole log into its main file, and has synced both; no index beside the log tells of it. */
  logMoved(): void {
    this.#markAsSynced(LOG_WAL);
  }

  /** The process has ended: copies the files as they are, unless that was done when it ended within a call. */
  copy(): void {
    if (this.#isCopied) return;
    this.#isCopied = true;
    copyFiles(this.path, this.#next);
  }

  /** Goes on with the copy. Nobody may have the old files open any more. */
  useCopy({ loseUnsynced }: { readonly loseUnsynced: boolean }): void {
    this.#use(this.#count + 1);
    for (const name of this.#walNames()) {
      const backfilled = readBackfilled(this.#file(name.replace(/-wal$/, '-shm')));
      // Whatever recovery makes of the index, SQLite has synced this before.
      if (backfilled !== null) this.#marks.set(name, [...(this.#marks.get(name) ?? []), backfilled]);
    }
    if (loseUnsynced) this.#loseUnsynced();
    this.#isCopied = false;
  }

  /** An empty one takes its place. */
  replace(): void {
    this.#use(this.#count + 1);
    this.#forget();
  }

  remove(): void {
    this.#endWatch();
    rmSync(this.#root, { recursive: true, force: true });
  }

  #written(name: string): void {
    // A write-ahead log is written over with what it holds already: that cannot make it shorter. Its marks tell the rest.
    if (!name.endsWith('-wal')) this.#dirty.add(name);
  }

  #renamed(from: string, to: string): void {
    if (this.#dirty.delete(from)) this.#dirty.add(to);
    this.#renames.push({ from, to });
  }

  #removed(name: string): void {
    this.#dirty.delete(name);
    this.#marks.delete(name);
    this.#renames = this.#renames.filter(({ to }) => to !== name);
  }

  #synced(name: string): void {
    this.#dirty.delete(name);
    this.#renames = this.#renames.filter(({ to }) => dirname(to) !== (name || '.'));
    if (name.endsWith('-wal')) this.#markAsSynced(name);
  }

  #markAsSynced(wal: string): void {
    const position = this.#position(wal);
    if (position !== null) this.#marks.set(wal, [position]);
  }

  #loseUnsynced(): void {
    for (const name of this.#dirty) {
      if (existsSync(this.#file(name)) && this.#random.chance(0.5))
        loseFileEnd(this.#file(name), this.#random);
    }
    for (const name of this.#walNames()) {
      loseWalEnd(this.#file(name), this.#marks.get(name) ?? [], this.#random);
    }
    for (const { from, to } of this.#renames.toReversed()) {
      if (existsSync(this.#file(to)) && this.#random.chance(0.5))
        renameSync(this.#file(to), this.#file(from));
    }
    this.#forget();
    for (const name of this.#walNames()) {
      this.#markAsSynced(name);
      // It was never on the disk.
      rmSync(this.#file(name.replace(/-wal$/, '-shm')), { force: true });
    }
  }

  #forget(): void {
    this.#dirty.clear();
    this.#marks.clear();
    this.#renames = [];
  }

  #walNames(): string[] {
    return readdirSync(this.path).filter((name) => name.endsWith('-wal'));
  }

  #position(name: string): WalPosition | null {
    return readWal(this.#file(name));
  }

  #file(name: string): string {
    return join(this.path, name);
  }

  #name(file: string): string {
    return relative(this.path, file);
  }

  get #next(): string {
    return join(this.#root, `${this.#count + 1}`);
  }

  #use(count: number): void {
    const before = this.path;
    this.#count = count;
    rmSync(before, { recursive: true, force: true });
  }
}

function copyFiles(from: string, to: string): void {
  mkdirSync(to);
  for (const entry of readdirSync(from, { withFileTypes: true })) {
    const [source, target] = [join(from, entry.name), join(to, entry.name)];
    if (entry.isDirectory()) copyFiles(source, target);
    else copyFileSync(source, target);
  }
}
