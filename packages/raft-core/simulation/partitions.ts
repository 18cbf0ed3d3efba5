import type { NodeId } from '@metad/raft-core';
import type { Covered } from './coverage.ts';
import type { Link } from './network.ts';
import type { Random } from './random.ts';

/** Which connections are cut, and whether they come and go. */
export interface Partition {
  readonly kind: Covered;
  readonly links: readonly Link[];
  readonly flapping: boolean;
}

/** A partition of some shape that real networks have had. */
export function drawPartition(random: Random, nodes: readonly NodeId[], leader: NodeId | null): Partition {
  const isolated = leader ?? random.pick(nodes) ?? (1 as NodeId);
  switch (random.below(5)) {
    case 0:
      return { kind: 'partition: isolated leader', links: cutAround(nodes, isolated), flapping: false };
    case 1:
      return { kind: 'partition: one way', links: oneWay(random, nodes, isolated), flapping: false };
    case 2:
      return { kind: 'partition: ring', links: ring(random, nodes), flapping: false };
    case 3:
      return { kind: 'partition: flapping', links: halves(nodes, random.subset(nodes, 0.5)), flapping: true };
    default:
      return { kind: 'partition: halves', links: halves(nodes, random.subset(nodes, 0.5)), flapping: false };
  }
}

function every(nodes: readonly NodeId[], isCut: (from: NodeId, to: NodeId) => boolean): Link[] {
  return nodes.flatMap((from) =>
    nodes.filter((to) => to !== from && isCut(from, to)).map((to) => ({ from, to })),
  );
}

function halves(nodes: readonly NodeId[], side: readonly NodeId[]): Link[] {
  return every(nodes, (from, to) => side.includes(from) !== side.includes(to));
}

/** One node hears nobody and is not heard. */
export function cutAround(nodes: readonly NodeId[], node: NodeId): Link[] {
  return halves(nodes, [node]);
}

/** One node is not heard, or hears nothing, or single connections carry in one direction only. */
function oneWay(random: Random, nodes: readonly NodeId[], node: NodeId): Link[] {
  switch (random.below(3)) {
    case 0:
      return every(nodes, (from) => from === node);
    case 1:
      return every(nodes, (_from, to) => to === node);
    default:
      return random.subset(
        every(nodes, () => true),
        0.3,
      );
  }
}

/** Each node reaches two neighbours only: no node hears all others, and all of them together are connected. */
function ring(random: Random, nodes: readonly NodeId[]): Link[] {
  const order = random.shuffled(nodes);
  return every(nodes, (from, to) => {
    const distance = Math.abs(order.indexOf(from) - order.indexOf(to));
    return distance !== 1 && distance !== order.length - 1;
  });
}
