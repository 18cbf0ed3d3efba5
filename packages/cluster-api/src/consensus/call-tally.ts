import type { Call, CallOutcome } from './call.ts';

const NAME = 'metad_calls_total';

/** Counts calls for Prometheus, without putting labels together for each: that would take as long as to route it. */
export class CallTally {
  readonly #counts = new Map<Call['type'], Map<CallOutcome['type'], number>>();

  add(type: Call['type'], outcome: CallOutcome['type']): void {
    const counts = this.#counts.get(type);
    if (counts === undefined) this.#counts.set(type, new Map([[outcome, 1]]));
    else counts.set(outcome, (counts.get(outcome) ?? 0) + 1);
  }

  /** In Prometheus' text format. */
  text(): string {
    const lines = [...this.#counts].flatMap(([type, counts]) =>
      [...counts].map(([outcome, count]) => `${NAME}{type="${type}",outcome="${outcome}"} ${count}`),
    );
    const help = `# HELP ${NAME} Writes and cluster calls that this node carried out or forwarded, by outcome.`;
    return [help, `# TYPE ${NAME} counter`, ...lines, ''].join('\n');
  }
}
