import { logIndex, type Membership, nodeId, term } from '@metad/raft-core';
import fc from 'fast-check';
import { pino } from 'pino';
import { describe, expect, test } from 'vitest';
import {
  DigestCheck,
  type DigestMark,
  MARK_INTERVAL_ENTRIES,
  partsUpToMarks,
} from '../src/consensus/digest-check.ts';

/** Nodes whose digests are made up; what they tell each other waits until it is delivered. */
class World {
  readonly nodes = new Map<number, TestNode>();
  readonly #voters: readonly number[];
  #mail: (() => void)[] = [];

  constructor(voters: readonly number[], learners: readonly number[] = []) {
    this.#voters = voters;
    for (const id of [...voters, ...learners]) this.nodes.set(id, new TestNode(id, this));
  }

  get membership(): Membership {
    return { configs: [this.#voters.map(nodeId)], nodes: new Map() };
  }

  get condemned(): number[] {
    return [...this.nodes.values()].filter(({ reasons }) => reasons.length > 0).map(({ id }) => id);
  }

  node(id: number): TestNode {
    const node = this.nodes.get(id);
    if (!node) throw new Error(`there is no node ${id}`);
    return node;
  }

  post(act: () => void): void {
    this.#mail.push(act);
  }

  deliver(order: (mail: (() => void)[]) => (() => void)[] = (mail) => mail): void {
    const mail = this.#mail;
    this.#mail = [];
    for (const act of order(mail)) act();
  }

  /** All apply up to `index`; the odd ones come to digests of their own. */
  apply(index: number, odd: readonly number[] = []): void {
    for (const node of this.nodes.values())
      node.apply(index, odd.includes(node.id) ? `odd-${node.id}` : 'same');
  }

  report(): void {
    for (const { check } of this.nodes.values()) check.report();
  }
}

class TestNode {
  readonly id: number;
  readonly check: DigestCheck;
  readonly reasons: string[] = [];
  readonly mismatches: number[] = [];
  readonly sent: DigestMark[] = [];
  #index = 0;
  #digest = '';

  constructor(id: number, world: World) {
    this.id = id;
    this.check = new DigestCheck({
      self: nodeId(id),
      membership: () => world.membership,
      current: () => ({ index: logIndex(this.#index), digest: this.#digest }),
      send: (marks) => {
        this.sent.push(...marks);
        for (const other of world.nodes.values())
          if (other !== this) world.post(() => other.check.receive(marks, nodeId(id)));
      },
      onMismatch: (peer) => this.mismatches.push(peer),
      onCondemned: (reason) => this.reasons.push(reason),
      logger: pino({ level: 'silent' }),
    });
  }

  apply(index: number, digest: string, stateFile?: string): void {
    this.#index = index;
    this.#digest = digest;
    const applied = { term: term(1), leader: nodeId(1), index: logIndex(index) };
    this.check.applied(stateFile === undefined ? { applied } : { applied, stateFile });
  }
}

describe('the one that differs', () => {
  test.each([1, 2, 3])('node %i of three condemns itself at a mark, and nobody else does', (odd) => {
    const world = new World([1, 2, 3]);
    world.apply(MARK_INTERVAL_ENTRIES, [odd]);
    world.deliver();
    expect(world.condemned).toEqual([odd]);
    expect(world.node(odd).reasons).toEqual([
      expect.stringMatching(
        /up to 4096 are not those of node \d and node \d: its digest is odd-\d, theirs same/,
      ),
    ]);
    for (const id of [1, 2, 3].filter((other) => other !== odd))
      expect(world.node(id).mismatches).toEqual([odd]);
  });

  test('is found between marks as well, when all stand still', () => {
    const world = new World([1, 2, 3]);
    world.apply(17, [2]);
    world.deliver();
    expect(world.condemned).toEqual([]);
    world.report();
    world.deliver();
    expect(world.condemned).toEqual([2]);
  });

  test('condemns itself once only', () => {
    const world = new World([1, 2, 3]);
    world.apply(17, [2]);
    for (let round = 0; round < 3; round += 1) {
      world.report();
      world.deliver();
    }
    expect(world.node(2).reasons).toHaveLength(1);
  });

  test('waits for a quorum: one other voter of three is none', () => {
    const world = new World([1, 2, 3]);
    world.apply(MARK_INTERVAL_ENTRIES, [1]);
    world.node(1).check.receive([{ index: logIndex(MARK_INTERVAL_ENTRIES), digest: 'same' }], nodeId(2));
    expect(world.condemned).toEqual([]);
    expect(world.node(1).mismatches).toEqual([2]);
  });

  test('is a learner as well, while learners condemn nobody', () => {
    const world = new World([1], [2, 3]);
    world.apply(MARK_INTERVAL_ENTRIES, [2, 3]);
    world.deliver();
    expect(world.condemned).toEqual([2, 3]);
    const outvoted = new World([1], [2, 3]);
    outvoted.apply(MARK_INTERVAL_ENTRIES, [1]);
    outvoted.deliver();
    expect(outvoted.condemned, 'the voter is right by definition').toEqual([2, 3]);
  });

  test('is found when it comes to the mark last, or first', () => {
    for (const order of [
      [1, 2, 3],
      [3, 2, 1],
    ]) {
      const world = new World([1, 2, 3]);
      for (const id of order) {
        world.node(id).apply(MARK_INTERVAL_ENTRIES, id === 3 ? 'odd' : 'same');
        world.deliver();
      }
      expect(world.condemned).toEqual([3]);
    }
  });
});

describe('nobody is condemned', () => {
  test('of two that differ: nobody knows who is right', () => {
    const world = new World([1, 2]);
    world.apply(MARK_INTERVAL_ENTRIES, [2]);
    world.deliver();
    expect(world.condemned).toEqual([]);
    expect([world.node(1).mismatches, world.node(2).mismatches]).toEqual([[2], [1]]);
  });

  test('where all are odd', () => {
    const world = new World([1, 2, 3]);
    world.apply(MARK_INTERVAL_ENTRIES, [1, 2, 3]);
    world.deliver();
    expect(world.condemned).toEqual([]);
  });

  test('for what it had before it installed a snapshot', () => {
    const world = new World([1, 2, 3]);
    world.node(3).apply(MARK_INTERVAL_ENTRIES, 'odd');
    world.node(3).apply(5000, 'same', 'state-2.db');
    for (const id of [1, 2]) {
      world.node(id).apply(MARK_INTERVAL_ENTRIES, 'same');
      world.node(id).apply(5000, 'same');
    }
    world.deliver();
    world.report();
    world.deliver();
    expect(world.condemned).toEqual([]);
    const { sent } = world.node(3);
    expect(sent.filter(({ digest }) => digest === 'odd')).toEqual([
      { index: MARK_INTERVAL_ENTRIES, digest: 'odd' },
    ]);
  });
});

test('whatever is lost, late or out of order, only the odd node of five condemns itself', () => {
  const step = fc.record({ node: fc.integer({ min: 1, max: 5 }), by: fc.integer({ min: 1, max: 3 }) });
  const action = fc.oneof(
    step.map((value) => ({ type: 'apply' as const, ...value })),
    fc.integer({ min: 1, max: 5 }).map((node) => ({ type: 'report' as const, node })),
    fc.constant({ type: 'deliver' as const }),
    fc.constant({ type: 'reverse' as const }),
    fc.constant({ type: 'lose' as const }),
  );
  fc.assert(
    fc.property(fc.array(action, { maxLength: 60 }), (actions) => {
      const world = new World([1, 2, 3, 4, 5]);
      const at = new Map<number, number>();
      const apply = (node: number, index: number) => {
        at.set(node, index);
        world.node(node).apply(index, `${node === 4 ? 'odd' : 'same'}-${index}`);
      };
      for (const one of actions) {
        if (one.type === 'apply') apply(one.node, (at.get(one.node) ?? MARK_INTERVAL_ENTRIES - 2) + one.by);
        else if (one.type === 'report') world.node(one.node).check.report();
        else if (one.type === 'deliver') world.deliver();
        else if (one.type === 'reverse') world.deliver((mail) => mail.reverse());
        else world.deliver(() => []);
      }
      expect([[], [4]]).toContainEqual(world.condemned);
      for (const node of [1, 2, 3, 4, 5]) apply(node, 9000);
      world.report();
      world.deliver();
      expect(world.condemned).toEqual([4]);
    }),
  );
});

test('entries are applied in parts that end at the marks', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 20_000 }), fc.integer({ min: 0, max: 10_000 }), (first, count) => {
      const entries = Array.from({ length: count }, (_, i) => ({ index: logIndex(first + i) }));
      const parts = [...partsUpToMarks(entries)];
      expect(parts.flat()).toEqual(entries);
      for (const part of parts.slice(0, -1))
        expect((part.at(-1)?.index ?? 1) % MARK_INTERVAL_ENTRIES).toBe(0);
      for (const part of parts) {
        const inner = part.slice(0, -1);
        expect(inner.some(({ index }) => index % MARK_INTERVAL_ENTRIES === 0)).toBe(false);
      }
    }),
    { numRuns: 50 },
  );
});
