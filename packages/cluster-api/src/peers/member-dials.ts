import type { LogId, NodeId, NodeRecord } from '@metad/raft-core';
import { type DialOptions, type DialOutcome, dial } from './dial.ts';
import { type DialPurpose, dialHeaders, judgeAnswer } from './handshake.ts';
import type { ProtocolRange } from './protocol-range.ts';
import type { Admission, PeerHandlers, PeerIdentity } from './transport.ts';

/** Whom a dial is meant for, and by which membership. */
export interface DialledMember {
  readonly node: NodeId;
  readonly record: NodeRecord;
  readonly membership: LogId;
}

export interface MemberDialsOptions {
  readonly handlers: Pick<PeerHandlers, 'identity' | 'admit'>;
  readonly token: string | null;
  readonly protocols: ProtocolRange;
  readonly timeoutMs: number;
}

/** Dials members in this node's name, and judges whoever answers. */
export class MemberDials {
  readonly #options: MemberDialsOptions;

  constructor(options: MemberDialsOptions) {
    this.#options = options;
  }

  /** What this node says to an address. */
  question(addr: string, purpose: DialPurpose): Omit<DialOptions, 'timeoutMs'> {
    const { handlers, token, protocols } = this.#options;
    return { addr, headers: dialHeaders(handlers.identity(), purpose, protocols), protocols, token };
  }

  /**
   * Dials the member as it is meant now; `meant` is asked again when somebody has answered. Calls `settle` once, later,
   * unless the returned function is called before. A connection to somebody who is not wanted is a refusal of ours.
   */
  dial(
    meant: () => DialledMember,
    settle: (outcome: Exclude<DialOutcome, { type: 'identified' }>) => void,
  ): () => void {
    const member = meant();
    const question = this.question(member.record.addr, { type: 'link', ...member });
    return dial({ ...question, timeoutMs: this.#options.timeoutMs }, (outcome) => {
      if (outcome.type === 'identified') {
        settle({ type: 'failed', reason: 'answers with its identity only' });
        return;
      }
      const admission = outcome.type === 'opened' ? this.#judge(outcome.peer, meant()) : null;
      if (outcome.type !== 'opened' || admission === null || admission.type === 'admitted') {
        settle(outcome);
        return;
      }
      outcome.socket.destroy();
      settle(admission);
    });
  }

  #judge(found: PeerIdentity, meant: DialledMember): Admission {
    const mismatch = judgeAnswer(found, meant);
    return mismatch === null
      ? this.#options.handlers.admit(found)
      : { type: 'refused', reason: mismatch, without: null };
  }
}
