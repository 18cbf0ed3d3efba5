import { type Leaf, writeOf } from '@metad/kv-store';
import { onTestFinished, vi } from 'vitest';
import type { TestNode } from './test-node.ts';

/** Far more than is read in one turn, and than a piece of a rendering holds. */
export const MANY = 6000;

/** Leaves below `/`, in names whose order is not that of their paths; all with one value. */
export function manyLeaves(value: string, count = MANY): Leaf[] {
  const names = ['a', 'a-b', 'a.b', 'a0', 'é', '\u{1f511}', '\uffee'];
  return Array.from({ length: count }, (_, i): Leaf => {
    const name = names[i % names.length] ?? '';
    return [`/${name}/${name}${i % 101}/n${i}`, value];
  });
}

/** As one write. */
export function writeMany(node: TestNode, path: string, value: string, count?: number): void {
  const leaves = manyLeaves(value, count).map(([at, text]): Leaf => [path + at, text]);
  node.replica.applyAll([{ ...writeOf([{ type: 'merge', tree: 'data', leaves }]), time: 1 }]);
}

/** The cursors that a node opens from now on: how many, and how many of them are open. */
export class Cursors {
  opened = 0;
  open = 0;
  /** Open at the same time. */
  most = 0;
  /** Called before each look through one of them. */
  onRead: () => void = () => undefined;

  constructor({ replica }: TestNode) {
    const { state } = replica;
    const original = state.openCursor.bind(state);
    const spy = vi.spyOn(state, 'openCursor').mockImplementation(() => {
      const cursor = original();
      let isOpen = true;
      this.opened += 1;
      this.open += 1;
      this.most = Math.max(this.most, this.open);
      return {
        view: cursor.view,
        read: (look) => {
          this.onRead();
          return cursor.read(look);
        },
        close: () => {
          if (isOpen) this.open -= 1;
          isOpen = false;
          cursor.close();
        },
      };
    });
    onTestFinished(() => spy.mockRestore());
  }
}
