import { existsSync } from 'node:fs';
import { open, readFile, rename, rm } from 'node:fs/promises';

/** A file that others may read at any moment: it is replaced whole or not at all. */
export class MirrorFile {
  readonly path: string;

  constructor(path: string) {
    this.path = path;
  }

  exists(): boolean {
    return existsSync(this.path);
  }

  /** Returns whether the file had other content before. */
  async replace(content: string): Promise<boolean> {
    if (this.exists() && (await readFile(this.path, 'utf8')) === content) return false;
    const next = `${this.path}.new`;
    const file = await open(next, 'w');
    try {
      await file.writeFile(content);
      // Else a power cut may leave the new name with nothing in it.
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(next, this.path);
    return true;
  }

  /** Returns whether there was a file. */
  async remove(): Promise<boolean> {
    if (!this.exists()) return false;
    await rm(this.path);
    return true;
  }
}
