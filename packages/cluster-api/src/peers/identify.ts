import { type DialOutcome, dial } from './dial.ts';
import type { ProtocolRange } from './protocol-range.ts';
import type { IdentifyOutcome } from './transport.ts';

/** Asks addresses who listens there, without opening a link. */
export class Identifier {
  /** Each gives up one question. */
  readonly #asking = new Set<() => void>();
  #stopped = false;

  identify(question: {
    readonly addr: string;
    readonly headers: Record<string, string>;
    readonly protocols: ProtocolRange;
    readonly token: string | null;
    readonly timeoutMs: number;
  }): Promise<IdentifyOutcome> {
    if (this.#stopped) return Promise.resolve(STOPPING);
    return new Promise((resolve) => {
      const cancel = dial(question, (outcome) => {
        this.#asking.delete(giveUp);
        resolve(identified(question.addr, outcome));
      });
      const giveUp = (): void => {
        cancel();
        resolve(STOPPING);
      };
      this.#asking.add(giveUp);
    });
  }

  stop(): void {
    this.#stopped = true;
    for (const giveUp of this.#asking) giveUp();
    this.#asking.clear();
  }
}

const STOPPING: IdentifyOutcome = { type: 'failed', reason: 'this node is stopping' };

function identified(addr: string, outcome: DialOutcome): IdentifyOutcome {
  switch (outcome.type) {
    case 'identified':
      return { type: 'identified', identity: outcome.peer };
    case 'opened':
      outcome.socket.destroy();
      return { type: 'failed', reason: `${addr} opens a connection where its identity was asked for` };
    case 'refused':
      return { type: 'failed', reason: `${addr} refuses: ${outcome.reason}` };
    case 'failed':
      return { type: 'failed', reason: `${addr} can't be reached: ${outcome.reason}` };
  }
}
