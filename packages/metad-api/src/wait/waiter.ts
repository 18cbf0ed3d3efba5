import type { Version } from '@metad/kv-store';
import type { ClientProfile } from '../access/client-profile.ts';
import type { Timed } from './deadlines.ts';
import type { Indexed, WaiterGroup } from './waiter-index.ts';

/** How a wait ended. Whoever waited reads anew, except when it was `stopped` or the client is `gone`. */
export type WaitEnd = 'changed' | 'timedOut' | 'stopped' | 'gone';

/** Who is told, once, how a wait ended. */
export interface EndListener {
  /** Must not throw: others are told after it. */
  onEnd(end: WaitEnd): void;
}

/** One request that is held open. */
export class Waiter implements Indexed<Waiter>, Timed {
  readonly host: string | null;
  readonly path: string;
  /** The client has seen all that changed up to this version. */
  readonly since: Version;
  /**
   * The profile was first read at this version. A change of rules or mapping between `since` and this one is in it
   * already, so that there is no older profile to compare it with.
   */
  readonly profileFirstReadAt: Version;
  /** When it ends at the latest, by the clock of the deadlines. */
  readonly expiresAt: number;
  /** Over how long the answer to a change may be delayed, by chance. */
  readonly jitterMs: number;
  /**
   * `undecided`: whether its client sees otherwise is yet to be compared. `delayed`: something has changed, and the answer
   * is on its way; it is told of nothing any more.
   */
  state: 'parked' | 'undecided' | 'delayed' | 'ended' = 'parked';
  /** Must not change while the waiter is in an index. */
  profile: ClientProfile;
  group: WaiterGroup<Waiter> | null = null;
  deadlineSlot: number | null = null;
  readonly #listener: EndListener;

  constructor(options: {
    readonly host: string | null;
    readonly path: string;
    readonly since: Version;
    readonly profile: ClientProfile;
    readonly profileFirstReadAt: Version;
    readonly expiresAt: number;
    readonly jitterMs: number;
    readonly listener: EndListener;
  }) {
    this.host = options.host;
    this.path = options.path;
    this.since = options.since;
    this.profileFirstReadAt = options.profileFirstReadAt;
    this.expiresAt = options.expiresAt;
    this.jitterMs = options.jitterMs;
    this.#listener = options.listener;
    this.profile = options.profile;
  }

  tell(end: WaitEnd): void {
    this.#listener.onEnd(end);
  }
}
