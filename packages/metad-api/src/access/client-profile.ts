import type { Access } from './access.ts';
import type { Mapping } from './mapping.ts';

/** All that decides what a client sees. Clients with equal rules and mapping share one profile. */
export interface ClientProfile {
  /** Equal for two profiles only if they are the same. */
  readonly id: number;
  /** Null for a client that has neither rules nor a mapping: it sees nothing. */
  readonly access: Access | null;
  readonly mapping: Mapping | null;
  /** Without a rule set the mapping is what gives access. */
  readonly hasRules: boolean;
}

/** The profile of whoever cannot be identified. */
export const NO_PROFILE: ClientProfile = { id: 0, access: null, mapping: null, hasRules: false };
