import { execFileSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';

/** A small disk of its own, in memory, at a folder that must be unmounted before it can be removed. */
export class SmallDisk {
  readonly #folder: string;

  /** Throws unless this process may mount. */
  constructor(folder: string, size: string) {
    mkdirSync(folder, { recursive: true });
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${size}`, 'metad-test', folder], { stdio: 'pipe' });
    this.#folder = folder;
  }

  /** Gives it another size, with all that it holds. */
  resize(size: string): void {
    execFileSync('mount', ['-o', `remount,size=${size}`, this.#folder], { stdio: 'pipe' });
  }

  unmount(): void {
    execFileSync('umount', [this.#folder], { stdio: 'pipe' });
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
