import { forkProgram } from './processes.mjs';

const LIMIT_MS = 120_000;

/** Drives programs/hold.mjs: many clients, each with one request that a server holds. */
export class Holder {
  #child = forkProgram('hold.mjs');

  /** Opens so many connections and asks for `path` on each; each has a client address of its own. */
  hold({ port, path, count }) {
    return this.#ask({ type: 'hold', port, path, count });
  }

  /** Sends the request `trigger`, which ends all; when, after it, the first and the last was answered. */
  releaseAll(trigger) {
    return this.#ask({ type: 'releaseAll', trigger });
  }

  /**
   * So many times: sends `trigger`, which ends one, and holds that again. `{client}` and `{change}` in the trigger become
   * numbers. How long each took, and how many others were answered.
   */
  releaseOne({ rounds, pauseMs, path, trigger }) {
    return this.#ask({ type: 'releaseOne', rounds, pauseMs, path, trigger });
  }

  /** Closes all connections. */
  close() {
    return this.#ask({ type: 'close' });
  }

  stop() {
    this.#child.disconnect();
  }

  #ask(message) {
    return new Promise((resolve, reject) => {
      const fail = () =>
        reject(new Error(`the program that holds requests has not carried out ${message.type}`));
      const limit = setTimeout(fail, LIMIT_MS);
      this.#child.once('close', fail);
      this.#child.once('message', (answer) => {
        clearTimeout(limit);
        this.#child.off('close', fail);
        resolve(answer);
      });
      this.#child.send(message);
    });
  }
}
