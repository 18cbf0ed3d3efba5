import type { AppliedBatch } from '@metad/kv-store';
import type { LogIndex, Membership, NodeId } from '@metad/raft-core';
import type { Logger } from 'pino';

/** The digest of all entries up to one, on one node: see `StateMachine.digest` of kv-store. */
export interface DigestMark {
  readonly index: LogIndex;
  readonly digest: string;
}

/** Batches end at the multiples of this, so that every node has its digest there, however it batches. */
export const MARK_INTERVAL_ENTRIES = 4096;
/** How often nodes tell each other where they stand: what finds a difference when nobody writes. */
export const REPORT_INTERVAL_MS = 2_000;
/** Indexes whose digests are remembered, this node's own and those of its peers. */
const MAX_REMEMBERED_INDEXES = 256;

export interface DigestCheckOptions {
  readonly self: NodeId;
  readonly membership: () => Membership;
  /** What is applied now. */
  readonly current: () => DigestMark;
  /** To every peer; may be lost. */
  readonly send: (marks: readonly DigestMark[]) => void;
  /** A peer has another digest at the same index than this node. */
  readonly onMismatch: (peer: NodeId) => void;
  /** This node is the one that differs: it must stop taking part. Called once. */
  readonly onCondemned: (reason: string) => void;
  readonly logger: Logger;
}

/**
 * Finds out when nodes have applied different entries, which must never be: each tells the others its digest at the
 * same indexes, and judges nobody but itself. A node condemns itself once a quorum of the voters agrees on another
 * digest than its own, whoever leads. Where no quorum agrees, nobody knows who is right: it is said, and left to people.
 */
export class DigestCheck {
  readonly #options: DigestCheckOptions;
  readonly #own = new Map<LogIndex, string>();
  readonly #reported = new Map<LogIndex, Map<NodeId, string>>();
  /** Those that differ, and where they were last found to. */
  readonly #differing = new Map<NodeId, LogIndex>();
  #lastMark: DigestMark | null = null;
  #ticker: NodeJS.Timeout | null = null;
  #isCondemned = false;

  constructor(options: DigestCheckOptions) {
    this.#options = options;
  }

  start(): void {
    this.#ticker = setInterval(() => this.report(), REPORT_INTERVAL_MS);
  }

  stop(): void {
    if (this.#ticker) clearInterval(this.#ticker);
    this.#ticker = null;
  }

  /** Tells the peers the last mark, for those who were away, and what is applied now, for a cluster at rest. */
  report(): void {
    const now = this.#options.current();
    if (now.index === 0) return;
    this.#note(now);
    this.#options.send(this.#lastMark === null ? [now] : [this.#lastMark, now]);
    this.#judge(now.index);
  }

  /** After each batch. */
  applied({ applied: { index }, stateFile }: Pick<AppliedBatch, 'applied' | 'stateFile'>): void {
    // What this node had before the snapshot is no longer what it holds.
    if (stateFile !== undefined) {
      this.#own.clear();
      this.#lastMark = null;
    }
    const isMark = index % MARK_INTERVAL_ENTRIES === 0;
    if (!isMark && !this.#reported.has(index)) return;
    const now = this.#options.current();
    this.#note(now);
    if (isMark) {
      this.#lastMark = now;
      this.#options.send([now]);
    }
    this.#judge(index);
  }

  receive(marks: readonly DigestMark[], from: NodeId): void {
    for (const { index, digest } of marks) {
      const reports = this.#reported.get(index) ?? new Map<NodeId, string>();
      reports.set(from, digest);
      remember(this.#reported, index, reports);
      this.#judge(index);
    }
  }

  #note({ index, digest }: DigestMark): void {
    remember(this.#own, index, digest);
  }

  #judge(index: LogIndex): void {
    const own = this.#own.get(index);
    const reports = this.#reported.get(index);
    if (own === undefined || reports === undefined || this.#isCondemned) return;
    for (const [peer, digest] of reports) {
      if (digest === own) this.#differing.delete(peer);
      else this.#tellDifference(peer, { index, own, digest });
    }
    const theirs = [...new Set(reports.values())].find(
      (digest) => digest !== own && this.#isHeldByQuorum(digest, reports),
    );
    if (theirs === undefined) return;
    this.#isCondemned = true;
    const holders = [...reports].filter(([, digest]) => digest === theirs).map(([peer]) => peer);
    this.#options.onCondemned(
      `this node's entries up to ${index} are not those of ${holders.map((peer) => `node ${peer}`).join(' and ')}: ` +
        `its digest is ${own}, theirs ${theirs}`,
    );
  }

  /** Told once while it lasts; counted once for each index. */
  #tellDifference(peer: NodeId, found: { index: LogIndex; own: string; digest: string }): void {
    const { index, own, digest: theirs } = found;
    const last = this.#differing.get(peer);
    if (last === index) return;
    this.#differing.set(peer, index);
    this.#options.onMismatch(peer);
    if (last !== undefined) return;
    const message = `node ${peer} has applied other entries than this node: the one that differs from a quorum stops; without a quorum that agrees, compare with a backup and rebuild the wrong one`;
    this.#options.logger.error({ peer, index, own, theirs }, message);
  }

  /** By a majority of each config; learners have no say. */
  #isHeldByQuorum(digest: string, reports: ReadonlyMap<NodeId, string>): boolean {
    const { self, membership } = this.#options;
    const { configs } = membership();
    const holds = (node: NodeId) => node !== self && reports.get(node) === digest;
    return configs.length > 0 && configs.every((config) => 2 * config.filter(holds).length > config.length);
  }
}

/** Keeps the newest; each index once. */
function remember<T>(map: Map<LogIndex, T>, index: LogIndex, value: T): void {
  map.delete(index);
  map.set(index, value);
  const [oldest] = map.keys();
  if (map.size > MAX_REMEMBERED_INDEXES && oldest !== undefined) map.delete(oldest);
}

/** Cuts entries so that each part but the last ends at a mark. */
export function* partsUpToMarks<T extends { readonly index: LogIndex }>(
  entries: readonly T[],
): Generator<readonly T[], void> {
  let start = 0;
  while (start < entries.length) {
    const first = entries[start]?.index ?? 0;
    const length = MARK_INTERVAL_ENTRIES - ((first - 1) % MARK_INTERVAL_ENTRIES);
    yield entries.slice(start, start + length);
    start += length;
  }
}
