import { checkLinearizable, describeViolation, type Operation } from '@metad/raft-core/simulation';

/** What all clients did and learned, on one clock: a count of events. */
export class History {
  readonly operations: Operation[] = [];
  #events = 0;

  /** Later than every moment before. */
  moment(): number {
    this.#events += 1;
    return this.#events;
  }

  record(operation: Operation): void {
    this.operations.push(operation);
  }

  /** Adds that a read, called at that moment, has just seen these values; a key that is not there had none. */
  recordContent(keys: Iterable<string>, call: number, content: ReadonlyMap<string, string>): void {
    const at = this.moment();
    for (const key of keys) {
      const value = content.get(key) ?? null;
      this.record({ type: 'read', client: READER_OF_ALL, key, call, outcome: { type: 'ok', at, value } });
    }
  }

  /** What contradicts linearizability, drawn over time; empty when nothing does. */
  violations(): string[] {
    const verdict = checkLinearizable(this.operations);
    switch (verdict.type) {
      case 'linearizable':
        return [];
      case 'violation':
        return [describeViolation(verdict)];
      default:
        return [`no order was found in time for ${verdict.keys}`];
    }
  }
}

const READER_OF_ALL = 0;
