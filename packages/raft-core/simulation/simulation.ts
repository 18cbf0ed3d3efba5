import { Clients } from './clients.ts';
import type { Coverage } from './coverage.ts';
import { drill } from './drills.ts';
import { TICK } from './event-queue.ts';
import { Violation } from './invariant.ts';
import { checkLinearizable } from './linearizability.ts';
import { describeViolation } from './linearizability-report.ts';
import { MemoryStore } from './memory-store.ts';
import { Nemesis } from './nemesis.ts';
import { Operator } from './operator.ts';
import { drawProfile, type Profile } from './profile.ts';
import { Random } from './random.ts';
import { recover } from './recovery.ts';
import { SimulatedCluster } from './simulated-cluster.ts';
import type { StoreFactory } from './simulated-store.ts';

export interface SimulationOptions {
  /** Decides everything: the same seed, the same run, the same trace. */
  readonly seed: number;
  /** In memory when absent. */
  readonly store?: StoreFactory;
  /** Replaces parts of the profile that the seed draws. */
  readonly profile?: Partial<Profile>;
  /** Keeps the trace, which costs time. */
  readonly trace?: boolean;
}

export interface SimulationResult {
  readonly seed: number;
  /** What was broken, and how; null when nothing was. */
  readonly failure: { readonly invariant: string; readonly message: string } | null;
  readonly coverage: Coverage;
  readonly trace: readonly string[];
  /** Ticks of virtual time, summed over the nodes. */
  readonly nodeTicks: number;
}

/** Runs one cluster under the faults of its seed, then without any, and checks all that must hold. */
export function simulate({ seed, store, profile, trace = false }: SimulationOptions): SimulationResult {
  const random = new Random(seed);
  const drawn = { ...drawProfile(random), ...profile };
  const cluster = new SimulatedCluster({
    profile: drawn,
    random,
    store: store ?? ((_node, formed) => new MemoryStore(formed)),
    trace,
  });
  cluster.world.trace.note('all', () => `seed ${seed}: ${describeProfile(drawn)}`);
  const failure = failureOf(() => play(cluster));
  cluster.close();
  if (failure !== null) cluster.world.trace.note('all', () => failure.message);
  return {
    seed,
    failure,
    coverage: cluster.world.coverage,
    trace: cluster.world.trace.lines,
    nodeTicks: (cluster.world.queue.now / TICK) * cluster.nodes.length,
  };
}

function play(cluster: SimulatedCluster): void {
  const clients = new Clients(cluster);
  const troublemakers = [new Nemesis(cluster), new Operator(cluster), clients];
  cluster.run(cluster.profile.ticks);
  for (const troublemaker of troublemakers) troublemaker.stop();
  recover(cluster, clients);
  drill(cluster, clients);
  checkHistory(cluster, clients);
}

function checkHistory(cluster: SimulatedCluster, { history }: Clients): void {
  const unknown = history.filter(({ type, outcome }) => type === 'read' && outcome.type === 'unknown');
  cluster.world.coverage.met('read unknown', unknown.length);
  const verdict = checkLinearizable(history);
  if (verdict.type === 'violation') throw new Violation('linearizability', describeViolation(verdict));
  if (verdict.type === 'undecided') {
    throw new Violation('linearizability', `undecided within the search's bound for ${verdict.keys}`);
  }
}

/** A core that throws anything else, an error of its own or of the language, has failed as well. */
function failureOf(act: () => void): SimulationResult['failure'] {
  try {
    act();
    return null;
  } catch (error) {
    if (error instanceof Violation) return { invariant: error.invariant, message: error.message };
    const { name, message, stack = message } = error as Error;
    return { invariant: name, message: stack };
  }
}

function describeProfile({ voters, learners, nodes, network, ticks }: Profile): string {
  return `${voters} voters and ${learners} learners of ${nodes} nodes, ${ticks} ticks, network ${JSON.stringify(network)}`;
}
