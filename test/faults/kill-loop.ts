import { setTimeout as sleep } from 'node:timers/promises';
import { Random } from '@metad/raft-core/simulation';
import type { Cluster } from '../e2e/cluster.ts';
import { waitUntil } from '../e2e/wait-until.ts';
import { agreedContent, compareDigests } from './agreement.ts';
import { Clients } from './clients.ts';
import { allowReader } from './endpoint.ts';
import { History } from './history.ts';
import type { PeerNetwork } from './peer-network.ts';
import { keepsMajority, type Strike, strike } from './strikes.ts';
import { Tally } from './tally.ts';
import { VersionReader } from './version-reader.ts';

/** So short a log that it is compacted, and that who is away for long needs a snapshot. */
export const SHORT_LOG = ['--snapshot_log_entries', '50', '--snapshot_keep_entries', '5'];

export interface KillLoopOptions {
  /** Three nodes that were formed behind the network, with SHORT_LOG. */
  readonly cluster: Cluster;
  readonly network: PeerNetwork;
  /** What may happen. */
  readonly strikes: readonly Strike[];
  /** How long it lasts, at most. */
  readonly maxFaultMs: number;
  readonly rounds: number;
  /** Chooses the faults and what the clients do; when things happen is up to the machine. */
  readonly seed: number;
  readonly onRound?: (line: string) => void;
}

const KEYS_PER_ROUND = 4;
const WRITES_AROUND_A_STRIKE = 30;
const MAX_QUIET_MS = 1_000;
/** What a snapshot must carry besides the clients' keys: several chunks of a transfer. */
const BALLAST = { leaves: 64, chars: 32 * 1024 };

/**
 * Kills and stops processes, and cuts the ways between them, under clients that write and read. Checks after each round
 * that the nodes agree, that what the clients saw is linearizable, and that nothing of any round before has changed.
 * Throws with what is wrong.
 */
export class KillLoop {
  readonly tally = new Tally();
  readonly #options: KillLoopOptions;
  readonly #random: Random;
  /** What each key of the rounds before may be: as it was found, or what a write of unknown outcome makes of it. */
  readonly #settled = new Map<string, ReadonlySet<string | null>>();

  constructor(options: KillLoopOptions) {
    this.#options = options;
    this.#random = new Random(options.seed);
  }

  async run(): Promise<Tally> {
    const { cluster, rounds, strikes, onRound } = this.#options;
    await this.#prepare();
    let order: Strike[] = [];
    for (let round = 1; round <= rounds; round += 1) {
      // Each kind comes once before any comes again.
      if (order.length === 0) order = this.#random.shuffled(strikes);
      const [name = 'all', ...later] = order;
      order = later;
      const started = performance.now();
      await this.#round(round, name);
      onRound?.(`round ${round}, ${name}: ${Math.round(performance.now() - started)} ms`);
    }
    for (const id of cluster.ids) this.tally.readLog(cluster.process(id).log);
    return this.tally;
  }

  async #prepare(): Promise<void> {
    const { cluster } = this.#options;
    await allowReader(cluster.node(1));
    for (let leaf = 0; leaf < BALLAST.leaves; leaf += 1) {
      const value = `${leaf}`.repeat(BALLAST.chars / `${leaf}`.length);
      await cluster.write(1, `ballast/${leaf}`, value);
      this.#settled.set(`ballast/${leaf}`, new Set([value]));
    }
  }

  async #round(round: number, name: Strike): Promise<void> {
    const { cluster, network, seed, maxFaultMs } = this.#options;
    const keys = Array.from({ length: KEYS_PER_ROUND }, (_, key) => `round-${round}/${key}`);
    const nodes = cluster.ids.map((id) => cluster.node(id));
    const history = new History();
    const clients = new Clients({ nodes, keys, history, seed: seed + round });
    const reader = new VersionReader({ nodes, path: `/round-${round}`, seed: seed + round });
    try {
      await this.#underLoad(clients);
      await sleep(this.#random.below(MAX_QUIET_MS));
      await strike(name, { cluster, network, random: this.#random, tally: this.tally, maxFaultMs });
      for (const id of cluster.ids) await cluster.ready(id);
      await this.#underLoad(clients);
    } finally {
      await Promise.all([clients.stop(), reader.stop()]);
    }
    await this.#verify(keys, history, reader);
    this.tally.rounds += 1;
    this.tally.versionReads += reader.answers;
    this.tally.add(clients, keepsMajority(name));
  }

  async #underLoad({ tally }: Clients): Promise<void> {
    const before = tally.ok;
    await waitUntil(() => tally.ok >= before + WRITES_AROUND_A_STRIKE, 'acknowledged writes');
  }

  async #verify(keys: readonly string[], history: History, reader: VersionReader): Promise<void> {
    const { cluster } = this.#options;
    const call = history.moment();
    const content = await agreedContent(cluster);
    history.recordContent(keys, call, content);
    await compareDigests(cluster);
    const changed = [...this.#settled].flatMap(([key, allowed]) => {
      const found = content.get(key) ?? null;
      return allowed.has(found) ? [] : [`${key} is ${found}, and was one of ${[...allowed]}`];
    });
    const unexpected = [...content.keys()].filter((key) => !keys.includes(key) && !this.#settled.has(key));
    const problems = [...history.violations(), ...reader.problems, ...changed, ...unexpected];
    if (problems.length > 0) throw new Error(problems.join('\n'));
    for (const key of keys) this.#settled.set(key, settledValues(key, history, content));
  }
}

function settledValues(key: string, { operations }: History, content: ReadonlyMap<string, string>) {
  const unknown = operations.filter(
    (operation) => operation.key === key && operation.outcome.type === 'unknown',
  );
  const values = unknown.map((operation) => (operation.type === 'put' ? operation.value : null));
  return new Set([content.get(key) ?? null, ...values]);
}
