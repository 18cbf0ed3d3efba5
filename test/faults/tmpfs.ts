import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync } from 'node:fs';

const MOUNTS = '/proc/self/mounts';
/** The name of a disk of ours ends with the process that it belongs to. */
const NAME = 'metad-test-';
const LEFTOVER = new RegExp(`^${NAME}(\\d+) (\\S+) tmpfs `);

/** A small disk of its own, in memory, at a folder that must be unmounted before it can be removed. */
export class SmallDisk {
  readonly #folder: string;

  /** Throws unless this process may mount. */
  constructor(folder: string, size: string) {
    unmountLeftovers();
    mkdirSync(folder, { recursive: true });
    const name = `${NAME}${process.pid}`;
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${size}`, name, folder], { stdio: 'pipe' });
    this.#folder = folder;
  }

  /** Gives it another size, with all that it holds. */
  resize(size: string): void {
    execFileSync('mount', ['-o', `remount,size=${size}`, this.#folder], { stdio: 'pipe' });
  }

  unmount(): void {
    unmount(this.#folder);
  }
}

/** Why there can be no small disk here; null when there can. */
export function whyNoSmallDisk(folder: string): string | null {
  try {
    new SmallDisk(folder, '1m').unmount();
    return null;
  } catch (error) {
    return `no tmpfs can be mounted: ${error instanceof Error ? error.message.split('\n')[1] : error}`;
  }
}

/** Nobody else unmounts the disk of a process that was killed; its memory would stay in use. */
function unmountLeftovers(): void {
  if (!existsSync(MOUNTS)) return;
  for (const line of readFileSync(MOUNTS, 'utf8').split('\n')) {
    const [, pid, folder] = LEFTOVER.exec(line) ?? [];
    if (pid === undefined || folder === undefined || existsSync(`/proc/${pid}`)) continue;
    // A node that outlived its test may still hold the disk: it goes with the last file that is open.
    unmount(folder, '--lazy');
  }
}

function unmount(folder: string, ...flags: readonly string[]): void {
  execFileSync('umount', [...flags, folder], { stdio: 'pipe' });
}
