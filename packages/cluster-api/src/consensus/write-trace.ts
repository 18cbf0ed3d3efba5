import type { Entry, LogId } from '@metad/raft-core';
import { Distribution, histogramText, LATENCY_BOUNDS_SECONDS } from './distribution.ts';

/** Where the time of a write goes, in their order; DESIGN.md says what each of them is. */
export const WRITE_STAGES = ['http', 'hop', 'propose', 'sync', 'network', 'apply', 'answer'] as const;
export type WriteStage = (typeof WRITE_STAGES)[number];

/** A write that was not answered by then is given up, so that another one can be followed. */
const MAX_TRACED_MS = 10_000;

interface Traced {
  readonly command: Uint8Array;
  readonly startedAt: number;
  /** Whether somebody will say that it is answered. */
  readonly hasDoor: boolean;
  /** When the last stage ended. */
  at: number;
  logId: LogId | null;
  /** The stage that comes next. */
  next: WriteStage;
}

/**
 * Follows one write at a time through its stages on the node that leads: the next one to come when the last one is
 * through. So it costs next to nothing, however many there are.
 */
export class WriteTrace {
  readonly #stages = new Map(WRITE_STAGES.map((stage) => [stage, new Distribution(LATENCY_BOUNDS_SECONDS)]));
  #traced: Traced | null = null;

  /** A client's write has come to this thread, after a first stage that began at `since` (`performance.now`). */
  begin(command: Uint8Array, { stage, since }: { stage: 'http' | 'hop'; since: number }): void {
    const now = performance.now();
    if (!this.#isFree(now)) return;
    this.#traced = { command, startedAt: now, hasDoor: true, at: since, logId: null, next: stage };
    this.#end(stage, 'propose', now);
  }

  /** It got its place in the leader's log. A write that another node has forwarded begins here. */
  proposed(command: Uint8Array, logId: LogId): void {
    if (this.#traced?.command === command) {
      this.#traced.logId = logId;
      return;
    }
    const now = performance.now();
    if (!this.#isFree(now)) return;
    this.#traced = { command, startedAt: now, hasDoor: false, at: now, logId, next: 'propose' };
  }

  /** These entries have been sent and are about to be written. */
  writing(entries: readonly Entry[]): void {
    if (this.#isAmong(entries, 'propose')) this.#end('propose', 'sync');
  }

  written(entries: readonly Entry[]): void {
    if (this.#isAmong(entries, 'sync')) this.#end('sync', 'network');
  }

  /** These entries are committed, and about to be applied. */
  applying(entries: readonly Entry[]): void {
    if (this.#isAmong(entries, 'network')) this.#end('network', 'apply');
  }

  applied(entries: readonly Entry[]): void {
    if (!this.#isAmong(entries, 'apply')) return;
    this.#end('apply', 'answer');
    if (this.#traced?.hasDoor === false) this.#traced = null;
  }

  /** The client is being answered, whatever has become of its write. */
  answered(command: Uint8Array): void {
    if (this.#traced?.command !== command) return;
    if (this.#traced.next === 'answer') this.#end('answer', 'answer');
    this.#traced = null;
  }

  /** In Prometheus' text format. */
  text(): string {
    const name = 'metad_write_stage_seconds';
    const help = 'What a write spends in each stage on the node that leads. One write is followed at a time.';
    const lines = [...this.#stages].flatMap(([stage, times]) => times.lines(name, `stage="${stage}"`));
    return histogramText({ name, help, lines });
  }

  #isFree(now: number): boolean {
    return this.#traced === null || now - this.#traced.startedAt > MAX_TRACED_MS;
  }

  /** Whether the write's entry is one of these, and ends that stage with them. */
  #isAmong(entries: readonly Entry[], stage: WriteStage): boolean {
    const logId = this.#traced?.logId;
    if (logId == null || this.#traced?.next !== stage) return false;
    const [first] = entries;
    if (first === undefined || first.index > logId.index) return false;
    return entries[logId.index - first.index]?.term === logId.term;
  }

  #end(stage: WriteStage, next: WriteStage, now = performance.now()): void {
    if (this.#traced === null) return;
    this.#stages.get(stage)?.observe((now - this.#traced.at) / 1000);
    this.#traced.at = now;
    this.#traced.next = next;
  }
}
