import type { Membership } from '@metad/raft-core';
import { type Invariant, Violation } from '../invariant.ts';

/**
 * Whoever could decide under one membership shares a node with whoever could decide under the next one (paper §6), and
 * a leader begins no change before the one before it is committed, nor before an entry of its own term is.
 */
export function quorumOverlap(): Invariant {
  const checked = new Set<string>();
  return {
    moved({ node, before, after }) {
      if (after.role !== 'leader' || before.role !== 'leader') return;
      const [old, next] = [before.membership, after.membership];
      if (old.logId.index >= next.logId.index) return;
      if (old.logId.index > after.committed) {
        throw new Violation(
          'one change at a time',
          `leader ${node.id} begins another at ${next.logId.index}`,
        );
      }
      const pair = `${old.membership.configs.join(';')} then ${next.membership.configs.join(';')}`;
      if (checked.has(pair)) return;
      checked.add(pair);
      if (!overlap(old.membership, next.membership)) throw new Violation('quorums overlap', pair);
    },
  };
}

/** No set of nodes decides under one while the rest decides under the other. */
function overlap(one: Membership, other: Membership): boolean {
  // Two majorities of one config share a node. Joint memberships make it so; what follows is for mistakes.
  if (one.configs.some((config) => other.configs.some((same) => String(same) === String(config))))
    return true;
  const everyone = [...new Set([...one.configs.flat(), ...other.configs.flat()])];
  if (everyone.length > MAX_TRIED) return false;
  for (let chosen = 0; chosen < 2 ** everyone.length; chosen += 1) {
    const inside = new Set(everyone.filter((_, i) => ((chosen >> i) & 1) === 1));
    const outside = new Set(everyone.filter((node) => !inside.has(node)));
    if (decides(one, inside) && decides(other, outside)) return false;
  }
  return true;
}

/** Every subset of so many nodes is tried. */
const MAX_TRIED = 12;

function decides({ configs }: Membership, nodes: ReadonlySet<number>): boolean {
  return configs.every((config) => config.filter((node) => nodes.has(node)).length * 2 > config.length);
}
