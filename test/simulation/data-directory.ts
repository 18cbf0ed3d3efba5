import { copyFileSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** In memory where there is such a place: these disks lose their power often enough. */
const PARENT = existsSync('/dev/shm') ? '/dev/shm' : tmpdir();

/** Where one node's disks are, one after the other. */
export class DataDirectory {
  readonly #root = mkdtempSync(join(PARENT, 'metad-simulation-'));
  #count = 1;

  /** The disk in use. */
  get path(): string {
    return join(this.#root, `${this.#count}`);
  }

  /** An empty disk takes its place. */
  replace(): void {
    this.#use(this.#count + 1);
  }

  /** Copies the files as they are at this moment, whoever writes them, to a disk that waits to be used. */
  copy(): void {
    copyFiles(this.path, this.#next);
  }

  /** Uses the copy instead of the disk it was made of. */
  useCopy(): void {
    this.#use(this.#count + 1);
  }

  remove(): void {
    rmSync(this.#root, { recursive: true, force: true });
  }

  get #next(): string {
    return join(this.#root, `${this.#count + 1}`);
  }

  #use(count: number): void {
    rmSync(this.path, { recursive: true, force: true });
    this.#count = count;
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
