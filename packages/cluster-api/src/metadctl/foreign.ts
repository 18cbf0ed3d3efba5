/** What a node says of who it is and of who the members are. */
export interface Identified {
  readonly id: number;
  /** null: it belongs to none yet. */
  readonly cluster: string | null;
  readonly instance: string;
  /** Of each member, as its membership has them; null: not recorded yet. */
  readonly instances: Readonly<Record<string, string | null>>;
  readonly membership_config: { readonly log_id: ShownLogId | null };
}

interface ShownLogId {
  readonly leader_id: { readonly term: number };
  readonly index: number;
}

/**
 * Who answers at the address of member `id` of the cluster that `asked` belongs to, when it is not that member; null: it
 * is. Whoever knows a later membership may have replaced a disk that `asked` still takes for the member's.
 */
export function describeForeign(id: number, found: Identified, asked: Identified): string | null {
  if (found.cluster !== null && found.cluster !== asked.cluster)
    return `node ${found.id} of another cluster (${found.cluster}) answers there`;
  if (found.id !== id) return `node ${found.id} answers there`;
  const instance = asked.instances[id] ?? found.instance;
  if (found.instance === instance || isLater(found, asked)) return null;
  return `node ${id} answers there on another data directory than the member's`;
}

function isLater({ membership_config: { log_id: one } }: Identified, other: Identified): boolean {
  const { log_id } = other.membership_config;
  if (one === null || log_id === null) return one !== null;
  const terms = one.leader_id.term - log_id.leader_id.term;
  return terms > 0 || (terms === 0 && one.index > log_id.index);
}
