import type { Reasons } from './chronicle.ts';
import type { ClientTally } from './witness.ts';
import type { Outcomes } from './writers.ts';

/** What happened in all rounds together. */
export class WaitTally {
  rounds = 0;
  /** What clients were shown, and looks at the whole. */
  observations = 0;
  readonly writes: Outcomes = { acknowledged: 0, repeated: 0, unknown: 0, refused: 0 };
  /** Writes of the calm after a fault. */
  readonly probes: Outcomes = { acknowledged: 0, repeated: 0, unknown: 0, refused: 0 };
  reasons: Reasons = { seen: 0, ownAccess: 0, lostTrack: 0 };
  readonly clients: ClientTally = { woken: 0, timeouts: 0, reads: 0, sentAway: 0, cut: 0 };

  addWrites({ acknowledged, repeated, unknown, refused }: Outcomes): void {
    this.writes.acknowledged += acknowledged;
    this.writes.repeated += repeated;
    this.writes.unknown += unknown;
    this.writes.refused += refused;
  }

  addClients(clients: readonly ClientTally[]): void {
    for (const { woken, timeouts, reads, sentAway, cut } of clients) {
      this.clients.woken += woken;
      this.clients.timeouts += timeouts;
      this.clients.reads += reads;
      this.clients.sentAway += sentAway;
      this.clients.cut += cut;
    }
  }

  toString(): string {
    const { writes, probes, clients, reasons } = this;
    return [
      `${this.rounds} rounds; writes: ${writes.acknowledged} acknowledged at once, ${writes.repeated} when asked for ` +
        `again, ${writes.unknown} unknown, ${writes.refused} refused, and ${probes.acknowledged} in the calm`,
      `clients: ${clients.woken} states that they were woken for, ${clients.timeouts} waits that ended by themselves, ` +
        `${clients.reads} reads, ${clients.sentAway} sent away, ${clients.cut} cut; ${this.observations} observations judged`,
      `woken: ${reasons.seen} because what they see had changed, ${reasons.ownAccess} as only their rules or mapping ` +
        `had, ${reasons.lostTrack} by nodes that could not know`,
    ].join('\n');
  }
}
