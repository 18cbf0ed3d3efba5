/** `GET /metrics` of the cluster port, as the API document shows it. Numbers beyond 2^53 lose their last digits here. */
export interface ClusterMetrics {
  readonly Ok: {
    readonly running_state: { readonly Ok: null };
    readonly id: number;
    readonly current_term: number;
    readonly vote: { readonly leader_id: LeaderId; readonly committed: boolean };
    readonly last_log_index: number | null;
    readonly last_applied: ShownLogId | null;
    readonly snapshot: ShownLogId | null;
    readonly purged: ShownLogId | null;
    readonly state: string;
    readonly current_leader: number | null;
    readonly millis_since_quorum_ack: number | null;
    readonly last_quorum_acked: number | null;
    readonly feature_level: number;
    readonly max_feature_level: number;
    readonly membership_config: { readonly log_id: ShownLogId | null; readonly membership: ShownMembership };
    readonly heartbeat?: Readonly<Record<string, number>> | null;
    readonly replication?: Readonly<Record<string, ShownLogId | null>> | null;
  };
  readonly heartbeat: Readonly<Record<string, number>> | null;
  readonly replication: Readonly<Record<string, ShownLogId | null>> | null;
}

export interface LeaderId {
  readonly term: number;
  readonly node_id: number;
}

export interface ShownLogId {
  readonly leader_id: LeaderId;
  readonly index: number;
}

export interface ShownMembership {
  readonly configs: readonly (readonly number[])[];
  readonly nodes: Readonly<Record<string, { readonly addr: string }>>;
}

/** The answer to `/add-learner` and `/change-membership`. */
export type ChangeAnswer =
  | {
      readonly Ok: {
        readonly log_id: ShownLogId;
        readonly data: { readonly value: null };
        readonly membership: ShownMembership;
      };
    }
  | { readonly Err: { readonly APIError: Readonly<Record<string, unknown>> } };
