import { Random } from '@metad/raft-core/simulation';
import type { Cluster } from '../../e2e/cluster.ts';
import { versionOf } from '../../e2e/http.ts';
import { waitUntil } from '../../e2e/wait-until.ts';
import type { PeerNetwork } from '../peer-network.ts';
import { type Strike, strike } from '../strikes.ts';
import { Tally } from '../tally.ts';
import { Auditor } from './auditor.ts';
import { Chronicle, type Viewer } from './chronicle.ts';
import { Evidence } from './evidence.ts';
import { OperationChoice, viewersOf } from './operation-choice.ts';
import { StreamClient } from './stream-client.ts';
import { Tracking } from './tracking.ts';
import { WaitTally } from './wait-tally.ts';
import { WaitingClient } from './waiting-client.ts';
import { Witness } from './witness.ts';
import { type Outcomes, Writers, write } from './writers.ts';

export interface WaitLoopOptions {
  /** Nodes that hold nothing yet; those behind the network are the voters. */
  readonly cluster: Cluster;
  readonly network: PeerNetwork;
  readonly strikes: readonly Strike[];
  /** How long a fault lasts, at most: shorter than a node waits to catch up, or it may show what it has. */
  readonly maxFaultMs: number;
  readonly clients: number;
  readonly rounds: number;
  /** Chooses the faults and what everybody does; when things happen is up to the machine. */
  readonly seed: number;
  readonly onRound?: (line: string) => void;
}

const WRITERS = 4;
const WRITES_AROUND_A_STRIKE = 20;
/** Writes after which everybody must have been told, without any further one to wake who was forgotten. */
const PROBES_PER_ROUND = 40;
/** As many come at once, at most: who was told of the first is on its way back while the next are applied. */
const MAX_WRITES_AT_ONCE = 4;
/** A wait that is held that long was taken: a node that stops in order answers it. */
const TAKEN_MS = 5_000;
const PROBER = 0;
/** One of so many clients reads a stream; the others wait. */
const CLIENTS_PER_STREAM = 3;

/**
 * Races writers, waiting clients and faults, and judges all that was seen by a plain model of what each version was.
 *
 * In each round there are first writes of all kinds around a fault. Then all is calm: what each client was shown last must
 * come to what it sees by now, without any further write, so a wake-up that was lost is found. In the calm a few
 * writes come at a time, which must wake whom they concern and nobody else.
 */
export class WaitLoop {
  readonly tally = new WaitTally();
  readonly faults = new Tally();
  readonly #options: WaitLoopOptions;
  readonly #random: Random;
  readonly #evidence = new Evidence();
  readonly #chronicle: Chronicle;
  readonly #tracking: Tracking;
  readonly #viewers: readonly Viewer[];
  readonly #hosts: readonly string[];
  readonly #probes: OperationChoice;
  #clients: readonly (WaitingClient | StreamClient)[] = [];

  constructor(options: WaitLoopOptions) {
    const { cluster, clients, seed } = options;
    const viewers = viewersOf(clients);
    this.#options = options;
    this.#viewers = viewers;
    this.#random = new Random(seed);
    this.#hosts = viewers.map(({ host }) => host);
    this.#tracking = new Tracking(cluster);
    this.#chronicle = new Chronicle({ viewers, trackedSince: this.#tracking.since });
    this.#probes = new OperationChoice({ random: this.#random, hosts: this.#hosts, name: `${seed}.probe` });
  }

  /** Throws with what is wrong. */
  async run(): Promise<void> {
    const { cluster, rounds, strikes, onRound } = this.#options;
    try {
      // Nobody can wait with version 0: as the contract has it, it is none.
      while (this.#chronicle.version === 0) await this.#probe();
      this.#clients = this.#viewers.map((viewer, number) => this.#client(viewer, number));
      let order: Strike[] = [];
      for (let round = 1; round <= rounds; round += 1) {
        if (order.length === 0) order = this.#random.shuffled(strikes);
        const [name = 'all', ...later] = order;
        order = later;
        const started = performance.now();
        await this.#round(round, name);
        onRound?.(`round ${round}, ${name}: ${Math.round(performance.now() - started)} ms`);
      }
      for (const id of cluster.ids) this.faults.readLog(cluster.process(id).log);
    } finally {
      await Promise.all(this.#clients.map((client) => client.stop()));
      await this.#tracking.stop();
      this.tally.addClients(this.#clients.map(({ witness }) => witness.tally));
    }
  }

  #client(viewer: Viewer, number: number): WaitingClient | StreamClient {
    const { cluster, seed } = this.#options;
    const witness = new Witness({ ...viewer, number, cluster, evidence: this.#evidence, seed });
    return number % CLIENTS_PER_STREAM === 0 ? new StreamClient(witness) : new WaitingClient(witness);
  }

  async #round(round: number, name: Strike): Promise<void> {
    const { cluster, network, seed, maxFaultMs } = this.#options;
    const evidence = this.#evidence;
    const nodes = cluster.ids.map((id) => cluster.node(id));
    const writers = new Writers({
      nodes,
      hosts: this.#hosts,
      evidence,
      seed: seed + round,
      count: WRITERS,
    });
    const auditors = [1, 2].map(
      (number) => new Auditor({ nodes, evidence, seed: (seed + round) * 10 + number }),
    );
    try {
      await underWrites(writers.outcomes);
      await strike(name, { cluster, network, random: this.#random, tally: this.faults, maxFaultMs });
      for (const id of cluster.ids) await cluster.ready(id);
      await underWrites(writers.outcomes);
    } finally {
      await Promise.all([writers, ...auditors].map((one) => one.stop()));
    }
    this.tally.addWrites(writers.outcomes);
    await this.#calm();
    this.tally.rounds += 1;
  }

  async #calm(): Promise<void> {
    for (const client of this.#clients) client.setCalm(true);
    this.#judge(await this.#agreedVersion());
    await this.#everybodyKnows();
    for (let probe = 0; probe < PROBES_PER_ROUND; probe += 1) {
      await this.#probe();
      await this.#everybodyKnows();
    }
    this.tally.reasons = { ...this.#chronicle.reasons };
    for (const client of this.#clients) client.setCalm(false);
  }

  async #probe(): Promise<void> {
    const { cluster } = this.#options;
    const evidence = this.#evidence;
    const count = 1 + this.#random.below(MAX_WRITES_AT_ONCE);
    const writes = Array.from({ length: count }, () => {
      const nodes = this.#random.shuffled(cluster.ids).map((id) => cluster.node(id));
      return write(this.#probes.next(), { writer: PROBER, nodes, evidence, idempotencyKey: '' });
    });
    const outcomes = await Promise.all(writes);
    for (const outcome of outcomes) this.tally.probes[outcome] += 1;
    const areCertain = outcomes.every((outcome) => outcome !== 'unknown');
    this.#judge(areCertain ? evidence.newest : await this.#agreedVersion());
  }

  /** Finds out what each version was up to this one, now that nobody writes. */
  #judge(version: number): void {
    const evidence = this.#evidence;
    const observations = evidence.takeObservations();
    this.tally.observations += observations.length;
    const problems = this.#chronicle.goOn(version, {
      writes: evidence.takeWrites(),
      refused: evidence.takeRefused(),
      observations,
    });
    this.#expectNone([...evidence.problems, ...this.#cuts(), ...problems]);
  }

  /** Waits until what each client was shown last is what it sees now: nothing but waits can have told it. */
  async #everybodyKnows(): Promise<void> {
    const behind = () =>
      this.#clients
        .map(({ witness }) => witness)
        .filter(({ seen, number }) => seen !== this.#chronicle.expected(number));
    await waitUntil(() => behind().length === 0, 'all clients to know').catch((error: unknown) => {
      this.#expectNone(behind().map((witness) => this.#describeLoss(witness)));
      throw error;
    });
    const late = this.#evidence.takeObservations();
    this.tally.observations += late.length;
    this.#expectNone([
      ...this.#evidence.problems,
      ...late.flatMap((observation) => this.#chronicle.judge(observation)),
    ]);
  }

  #describeLoss({ host, path, node, version, seen, number }: Witness): string {
    return (
      `a wake-up was lost: ${host} at ${path} waits on node ${node} since version ${version} and has ${seen}, but by ` +
      `version ${this.#chronicle.version} it is ${this.#chronicle.expected(number)}`
    );
  }

  #cuts(): string[] {
    return this.#evidence.cuts.splice(0).flatMap(({ client, node, process, heldMs }) => {
      if (process.exit === null) return [`client ${client} was cut by node ${node}, which runs`];
      const isStopped = process.exit.code === 0 && heldMs > TAKEN_MS;
      return isStopped ? [`client ${client} was cut, not answered, by node ${node} as it was stopped`] : [];
    });
  }

  /** The version of all nodes, when there is nothing left to apply. */
  async #agreedVersion(): Promise<number> {
    const { cluster } = this.#options;
    await cluster.converged();
    const replies = await Promise.all(cluster.ids.map((id) => cluster.manage(id, 'GET', '/v1/data')));
    const versions = replies.map(versionOf);
    const [version = 0] = versions;
    if (new Set(versions).size > 1) this.#expectNone([`the nodes are at versions ${versions}`]);
    return version;
  }

  #expectNone(problems: readonly string[]): void {
    if (problems.length > 0) throw new Error(problems.slice(0, MAX_SHOWN_PROBLEMS).join('\n'));
  }
}

const MAX_SHOWN_PROBLEMS = 30;

async function underWrites(outcomes: Outcomes): Promise<void> {
  const enough = outcomes.acknowledged + WRITES_AROUND_A_STRIKE;
  await waitUntil(() => outcomes.acknowledged >= enough, 'acknowledged writes');
}
