import type { Entry } from '../src/entry.ts';
import { type LogId, ZERO_LOG_ID } from '../src/ids.ts';
import type { StoredMembership } from '../src/log-reader.ts';

/** The applied commands in order, with the membership that goes with them: what a snapshot holds. */
export interface StateMachine {
  readonly last: LogId;
  readonly stored: StoredMembership | null;
  readonly commands: readonly string[];
}

export const EMPTY_STATE: StateMachine = { last: ZERO_LOG_ID, stored: null, commands: [] };

/** The state behind `entry`. */
export function applied(state: StateMachine, entry: Entry): StateMachine {
  const { payload, term, leader, index } = entry;
  const last = { term, leader, index };
  switch (payload.type) {
    case 'command':
      return { ...state, last, commands: [...state.commands, new TextDecoder().decode(payload.data)] };
    case 'membership':
      return { ...state, last, stored: { logId: last, membership: payload.membership } };
    case 'blank':
      return { ...state, last };
  }
}
