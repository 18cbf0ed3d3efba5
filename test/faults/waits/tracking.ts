import { setTimeout as sleep } from 'node:timers/promises';
import type { Cluster } from '../../e2e/cluster.ts';
import { versionOf } from '../../e2e/http.ts';
import type { ScriptProcess } from '../../e2e/script-process.ts';

const PROBE_EVERY_MS = 50;
/** Nobody maps or allows anything for it: only the version of its answers counts. */
const NOBODY = '203.0.113.255';

/** Knows from which version on each process has seen every change: since its start, and since its last snapshot. */
export class Tracking {
  readonly #cluster: Cluster;
  readonly #since = new Map<ScriptProcess, { version: number; installs: number }>();
  readonly #running: Promise<unknown>;
  #stopped = false;

  constructor(cluster: Cluster) {
    this.#cluster = cluster;
    this.#running = Promise.all(cluster.ids.map((id) => this.#watch(id)));
  }

  /** A version that is not too early; of a process that was never seen to serve, none is late enough. */
  readonly since = (process: ScriptProcess): number => {
    const known = this.#since.get(process);
    return known === undefined || known.installs < installsOf(process)
      ? Number.POSITIVE_INFINITY
      : known.version;
  };

  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#running;
  }

  async #watch(id: number): Promise<void> {
    while (!this.#stopped) {
      const process = this.#cluster.process(id);
      const installs = installsOf(process);
      if (process.exit === null && this.#since.get(process)?.installs !== installs) {
        const version = await this.#versionOf(id);
        if (version !== null && process.exit === null) this.#since.set(process, { version, installs });
      }
      await sleep(PROBE_EVERY_MS);
    }
  }

  async #versionOf(id: number): Promise<number | null> {
    // A node that is down or catches up tells nothing.
    const reply = await this.#cluster.metadata(id, '/', NOBODY).catch(() => null);
    return reply === null || reply.status === 503 ? null : versionOf(reply);
  }
}

function installsOf(process: ScriptProcess): number {
  return process.log.split('"installed a snapshot"').length - 1;
}
