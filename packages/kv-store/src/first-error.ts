import { namingFile, namingFileAsync } from './store-error.ts';

/**
 * What fails once fails for ever: after a failed write SQLite's view of its file, and the kernel's of the file's pages,
 * cannot be trusted. Only opening the file again finds out what is there.
 */
export class FirstError {
  readonly #file: string;
  #error: unknown = null;

  constructor(file: string) {
    this.#file = file;
  }

  get hasCome(): boolean {
    return this.#error !== null;
  }

  /** Runs `action` unless something failed before: then it throws that, as it throws what fails now. */
  run<T>(action: () => T): T {
    if (this.#error !== null) throw this.#error;
    try {
      return namingFile(this.#file, action);
    } catch (error) {
      this.#error = error;
      throw error;
    }
  }

  /** The same of what ends later. */
  async runAsync<T>(action: () => Promise<T>): Promise<T> {
    if (this.#error !== null) throw this.#error;
    try {
      return await namingFileAsync(this.#file, action);
    } catch (error) {
      this.#error ??= error;
      throw error;
    }
  }

  /** Something failed where nobody waits for it: the next `run` throws it. */
  note(error: unknown): void {
    this.#error ??= error;
  }
}
