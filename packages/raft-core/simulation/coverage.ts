/** What a run has to have met: one that met none of a kind proves nothing about it. */
export const COVERED = [
  'election',
  'failed election',
  'membership change',
  'joint membership',
  'crash',
  'crash within a turn',
  'power loss',
  'pause',
  'slow disk',
  'skewed clock',
  'coup',
  'partition: halves',
  'partition: isolated leader',
  'partition: one way',
  'partition: ring',
  'partition: flapping',
  'message lost',
  'message held',
  'message doubled',
  'snapshot sent',
  'snapshot installed',
  'snapshot failed',
  'compaction',
  'log truncated',
  'transfer started',
  'disk wiped',
  'write acknowledged',
  'write refused',
  'write superseded',
  'write unknown',
  'read answered',
  'read dropped',
  'read unknown',
] as const;
export type Covered = (typeof COVERED)[number];

/** How often each kind of event was met. */
export class Coverage {
  readonly #counts = new Map<Covered, number>(COVERED.map((kind) => [kind, 0]));

  met(kind: Covered, times = 1): void {
    this.#counts.set(kind, this.count(kind) + times);
  }

  count(kind: Covered): number {
    return this.#counts.get(kind) ?? 0;
  }

  /** Takes over what another run has met. */
  add(other: Coverage): void {
    for (const kind of COVERED) this.met(kind, other.count(kind));
  }

  counts(): Readonly<Record<string, number>> {
    return Object.fromEntries(this.#counts);
  }

  missing(): Covered[] {
    return COVERED.filter((kind) => this.count(kind) === 0);
  }
}
