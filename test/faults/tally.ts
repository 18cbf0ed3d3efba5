import type { Clients } from './clients.ts';

/** What happened in all rounds together. */
export class Tally {
  rounds = 0;
  kills = 0;
  /** In order. */
  stops = 0;
  pauses = 0;
  partitions = 0;
  acknowledged = 0;
  unknown = 0;
  refused = 0;
  reads = 0;
  /** Answers to clients that pass versions on. */
  versionReads = 0;
  /** The longest time without an acknowledged write: in any round, and while a majority ran all the time. */
  longestGapMs = 0;
  longestGapWithMajorityMs = 0;
  snapshotsTaken = 0;
  snapshotsInstalled = 0;
  compactions = 0;
  /** Log lines at level error or fatal: nothing that is done to the nodes here is an error of theirs. */
  readonly errors: string[] = [];

  add({ tally, reads, longestGapMs }: Clients, hadMajority: boolean): void {
    this.acknowledged += tally.ok;
    this.unknown += tally.unknown;
    this.refused += tally.failed;
    this.reads += reads;
    this.longestGapMs = Math.max(this.longestGapMs, longestGapMs);
    if (!hadMajority) return;
    this.longestGapWithMajorityMs = Math.max(this.longestGapWithMajorityMs, longestGapMs);
  }

  /** Counts what a process tells of itself; once for each process, when it has ended. */
  readLog(log: string): void {
    this.snapshotsTaken += log.split('"took a snapshot"').length - 1;
    this.snapshotsInstalled += log.split('"installed a snapshot"').length - 1;
    this.errors.push(...log.split('\n').filter((line) => /^\{"level":"(error|fatal)"/.test(line)));
    this.compactions += log.split('"compacted the log"').length - 1;
  }

  toString(): string {
    return [
      `${this.rounds} rounds: ${this.kills} kills, ${this.stops} stops, ${this.pauses} pauses, ${this.partitions} partitions`,
      `writes: ${this.acknowledged} acknowledged, ${this.unknown} unknown, ${this.refused} refused`,
      `reads: ${this.reads} linearizable, ${this.versionReads} local ones that pass versions on`,
      `snapshots: ${this.snapshotsTaken} taken, ${this.snapshotsInstalled} installed; ${this.compactions} compactions`,
      `the longest time without an acknowledged write: ${Math.round(this.longestGapMs)} ms, ` +
        `and ${Math.round(this.longestGapWithMajorityMs)} ms while a majority ran`,
    ].join('\n');
  }
}
