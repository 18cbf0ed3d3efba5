import type { ScriptProcess } from '../../e2e/script-process.ts';
import type { Audit, Observation, RecordedWrite, RefusedWrite, Sight } from './evidence.ts';
import { applied, EMPTY_STATE, type ModelState, namedHosts } from './model-state.ts';
import { see, seeAll, sorted } from './model-view.ts';

/** Who looks at what, for as long as it lives. */
export interface Viewer {
  readonly host: string;
  readonly path: string;
}

/** One version of the state, and what made it. */
interface World {
  readonly state: ModelState;
  /** What each viewer sees. */
  readonly views: readonly string[];
  /** Whose own rules or mapping the write named; nobody's for one of the data. */
  readonly named: readonly string[];
}

/** Why waits ended before their time, by number of answers. */
export interface Reasons {
  /** What the client sees has changed. */
  seen: number;
  /** Its rules or its mapping were written, though nothing that it sees has changed by it. */
  ownAccess: number;
  /** The node cannot know what changed: it was started, or got a snapshot, after the client's version. */
  lostTrack: number;
}

/** A write of unknown outcome may come true later, but not after so many others. */
const MAX_LATE_VERSIONS = 500;
/** How many worlds are tried for each version, on average, before it is given up. */
const MAX_TRIES_PER_VERSION = 200;

export interface ChronicleOptions {
  /** By number of the client. */
  readonly viewers: readonly Viewer[];
  /** A version from which on a process has known of every change. */
  readonly trackedSince: (process: ScriptProcess) => number;
}

/**
 * What every version was, found from the writes that were sent and the versions that they were answered with.
 *
 * A version that no acknowledged write has is the work of one whose outcome is unknown. Which one is decided by what was
 * seen: there must be one choice for all of them together that contradicts nothing. So a version that is shown wrongly,
 * an acknowledged write that is missing, one that was applied twice or that was refused and applied all the same leave no
 * choice at all.
 */
export class Chronicle {
  readonly reasons: Reasons = { seen: 0, ownAccess: 0, lostTrack: 0 };
  readonly #options: ChronicleOptions;
  readonly #worlds: World[];
  /** Writes of unknown outcome that have made no version so far. */
  #open: RecordedWrite[] = [];
  #tries = 0;
  /** What contradicts the choices that came furthest. */
  #furthest: { version: number; problems: string[] } = { version: 0, problems: [] };

  constructor(options: ChronicleOptions) {
    this.#options = options;
    const views = options.viewers.map(({ host, path }) => see(EMPTY_STATE, host, path));
    this.#worlds = [{ state: EMPTY_STATE, views, named: [] }];
  }

  /** The newest version that is known. */
  get version(): number {
    return this.#worlds.length - 1;
  }

  /** What a client sees at the newest version. */
  expected(client: number): string {
    return this.#at(this.version).views[client] ?? '';
  }

  /**
   * Goes on to version `until`: every write that was sent since the last call has its outcome, and none is under way.
   * Gives what is wrong; empty when nothing is.
   */
  goOn(until: number, { writes, refused, observations }: Happenings): readonly string[] {
    const from = this.version;
    const recent = this.#open.filter(({ after }) => after > from - MAX_LATE_VERSIONS);
    const open = [...recent, ...writes.filter(({ version }) => version === null)];
    const claims = groupByVersion(writes.filter((write) => write.version !== null));
    const early = [...claims].filter(([version]) => version <= from || version > until);
    for (const [version, claimed] of early) {
      if (version === from && claimed.every((write) => this.#changesNothing(write, from))) continue;
      return [`version ${version} is not between ${from} and ${until}: ${describe(claimed)}`];
    }
    const seen = groupByVersion(observations.filter(({ version }) => version > from));
    const known = { until, claims, seen };
    const used = this.#search({ ...known, open });
    if (used === null) {
      const { problems } = this.#furthest;
      return [...new Set(problems), ...this.#suspicions({ ...known, open }, { writes, refused })];
    }
    this.#open = open.filter((write) => !used.has(write));
    return observations.flatMap((observation) => this.judge(observation));
  }

  /** The writes that made the versions up to the last one; null when no choice is without contradiction. */
  #search(known: Omit<Search, 'used'>): ReadonlySet<RecordedWrite> | null {
    const from = this.version;
    this.#tries = MAX_TRIES_PER_VERSION * (known.until - from + 1);
    this.#furthest = { version: from, problems: [] };
    const used = new Set<RecordedWrite>();
    if (this.#place({ ...known, used })) return used;
    if (this.#tries <= 0) this.#furthest.problems.unshift('there are too many ways to try them all');
    return null;
  }

  /** Whether it would be explained by a write that was refused, or applied twice, after all. */
  #suspicions(known: Omit<Search, 'used'>, { writes, refused }: Omit<Happenings, 'observations'>): string[] {
    const from = this.version;
    const again = writes.map((write) => ({ ...write, version: null }));
    const used = this.#search({ ...known, open: [...known.open, ...refused, ...again] });
    this.#worlds.length = from + 1;
    if (used === null) return [];
    return [
      ...refused
        .filter((write) => used.has(write))
        .map((write) => `it was refused (${write.reason}), and applied: ${describe([write])}`),
      ...again
        .filter((write) => used.has(write))
        .map((write) => `it was applied twice: ${describe([write])}`),
    ];
  }

  /** What is wrong with an observation of a version that is known, and what its wait ended for. */
  judge(observation: Observation): readonly string[] {
    if (observation.version > this.version) return [`nobody made version ${observation.version}`];
    const problem = this.#contradiction(observation);
    if (problem !== null) return [problem];
    const reason = observation.type === 'sight' ? this.#reason(observation) : null;
    if (reason !== null) this.reasons[reason] += 1;
    return [];
  }

  /** Finds the world of the next version, and of all others after it. */
  #place(search: Search): boolean {
    const version = this.#worlds.length;
    if (version > search.until) return true;
    if (this.#tries <= 0)
      throw new Error(`there are too many ways in which version ${version} may have come`);
    const claims = search.claims.get(version) ?? [];
    const unknown = search.open.filter((write) => !search.used.has(write) && write.after < version);
    if (claims.length + unknown.length === 0) this.#fail(version, [`nobody made version ${version}`]);
    for (const maker of [...claims, ...unknown]) {
      this.#tries -= 1;
      const world = this.#worldAfter(maker);
      if (world === null) continue;
      this.#worlds.push(world);
      search.used.add(maker);
      const problems = this.#problems(version, maker, search);
      if (problems.length > 0)
        this.#fail(version, [`as version ${version}: ${describe([maker])}`, ...problems]);
      else if (this.#place(search)) return true;
      this.#worlds.length = version;
      search.used.delete(maker);
    }
    return false;
  }

  #fail(version: number, problems: readonly string[]): void {
    if (version > this.#furthest.version) this.#furthest = { version, problems: [] };
    if (version === this.#furthest.version) this.#furthest.problems.push(...problems);
  }

  /** Null when the write changes nothing: then it makes no version. */
  #worldAfter({ operation }: RecordedWrite): World | null {
    const before = this.#at(this.version);
    const state = applied(before.state, operation);
    if (state === before.state) return null;
    const named = namedHosts(operation);
    const views = this.#options.viewers.map(({ host, path }, client) =>
      named === null || named.includes(host) ? see(state, host, path) : (before.views[client] ?? ''),
    );
    return { state, views, named: named ?? [] };
  }

  /** What contradicts that a write made the newest version. */
  #problems(version: number, maker: RecordedWrite, { claims, seen }: Search): string[] {
    const others = (claims.get(version) ?? []).filter(
      (write) => write !== maker && !this.#changesNothing(write, version),
    );
    return [
      ...(others.length > 0 ? [`the same version was given to ${describe(others)}`] : []),
      ...(maker.after >= version ? [`version ${maker.after} was known before it was sent`] : []),
      ...(seen.get(version) ?? []).flatMap((observation) => this.#contradiction(observation) ?? []),
    ];
  }

  #changesNothing({ operation }: RecordedWrite, version: number): boolean {
    const { state } = this.#at(version);
    return applied(state, operation) === state;
  }

  #contradiction(observation: Observation): string | null {
    const { state, views } = this.#at(observation.version);
    const isSight = observation.type === 'sight';
    const right = isSight ? views[observation.client] : wholeOf(state, observation);
    const who = isSight ? this.#describe(observation) : `the whole of the ${observation.part}`;
    const place = `${who} on node ${observation.node}, version ${observation.version}`;
    if (observation.seen !== right) return `${place}: ${observation.seen}, but it is ${right}`;
    if (!isSight || observation.wokenFrom === null || this.#reason(observation) !== null) return null;
    return `${place}: woken from version ${observation.wokenFrom} for nothing: ${observation.seen}`;
  }

  /** Why a wait ended; null when there is no reason, or it is none. */
  #reason({ client, process, version, wokenFrom }: Sight): keyof Reasons | null {
    if (wokenFrom === null) return null;
    const { host } = this.#viewer(client);
    let isNamed = false;
    for (let later = wokenFrom + 1; later <= version; later += 1) {
      const { views, named } = this.#at(later);
      if (views[client] !== this.#at(later - 1).views[client]) return 'seen';
      isNamed ||= named.includes(host);
    }
    if (isNamed) return 'ownAccess';
    return wokenFrom < this.#options.trackedSince(process) ? 'lostTrack' : null;
  }

  #describe({ client }: Sight): string {
    const { host, path } = this.#viewer(client);
    return `client ${client}, ${host} at ${path}`;
  }

  #viewer(client: number): Viewer {
    const viewer = this.#options.viewers[client];
    if (viewer === undefined) throw new Error(`there is no client ${client}`);
    return viewer;
  }

  #at(version: number): World {
    const world = this.#worlds[version];
    if (world === undefined) throw new Error(`version ${version} is not known`);
    return world;
  }
}

/** What happened since a version. */
export interface Happenings {
  readonly writes: readonly RecordedWrite[];
  /** Only looked at to explain what is wrong. */
  readonly refused: readonly RefusedWrite[];
  readonly observations: readonly Observation[];
}

interface Search {
  readonly until: number;
  readonly open: readonly RecordedWrite[];
  /** Acknowledged writes by their version. */
  readonly claims: ReadonlyMap<number, readonly RecordedWrite[]>;
  readonly seen: ReadonlyMap<number, readonly Observation[]>;
  /** The makers of the versions so far. */
  readonly used: Set<RecordedWrite>;
}

function wholeOf(state: ModelState, { part }: Audit): string {
  return part === 'rules' ? sorted(Object.fromEntries(state.rules)) : seeAll(state[part]);
}

function groupByVersion<T extends { readonly version: number | null }>(all: readonly T[]): Map<number, T[]> {
  const groups = new Map<number, T[]>();
  for (const one of all) {
    const version = one.version ?? 0;
    const group = groups.get(version) ?? [];
    group.push(one);
    groups.set(version, group);
  }
  return groups;
}

function describe(writes: readonly RecordedWrite[]): string {
  return writes.map(({ writer, operation }) => `${JSON.stringify(operation)} of writer ${writer}`).join(', ');
}
