import type { Cluster } from '../e2e/cluster.ts';
import { waitUntil } from '../e2e/wait-until.ts';
import { agreedContent } from './agreement.ts';
import { Clients } from './clients.ts';
import { allowReader } from './endpoint.ts';
import { History } from './history.ts';

const KEYS = 4;

/** Clients of a whole cluster that work through a story of faults, whose promises are checked at its end. */
export class Load {
  readonly history = new History();
  readonly clients: Clients;
  readonly #cluster: Cluster;
  readonly #keys: readonly string[];

  static async start(cluster: Cluster, name: string): Promise<Load> {
    await allowReader(cluster.node(1));
    return new Load(cluster, name);
  }

  private constructor(cluster: Cluster, name: string) {
    this.#cluster = cluster;
    this.#keys = Array.from({ length: KEYS }, (_, key) => `${name}/${key}`);
    this.clients = new Clients({
      nodes: cluster.ids.map((id) => cluster.node(id)),
      keys: this.#keys,
      history: this.history,
      seed: name.length,
    });
  }

  /** Waits until that many more writes were acknowledged. */
  async goesOn(writes = 30): Promise<void> {
    const { tally } = this.clients;
    const before = tally.ok;
    await waitUntil(() => tally.ok >= before + writes, `${writes} more acknowledged writes`);
  }

  /** Ends the clients. Gives what contradicts their history once all nodes agree; empty when nothing does. */
  async problems(): Promise<string[]> {
    await this.clients.stop();
    const call = this.history.moment();
    const content = await agreedContent(this.#cluster);
    this.history.recordContent(this.#keys, call, content);
    return this.history.violations();
  }
}
