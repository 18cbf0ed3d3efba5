import type { Leaf } from '@metad/kv-store';
import { StepMeter } from '../steps.ts';
import type { DocumentWriter } from './document-writer.ts';
import type { Tree } from './found.ts';
import { inNameOrder, type Node } from './name-order.ts';

/** One line per leaf, nothing escaped; in pieces. */
export function* textLines(leaves: readonly Leaf[]): Generator<string> {
  const meter = new StepMeter();
  let text = '';
  for (const [path, value] of leaves) {
    text += `${path}\t${value}\n`;
    if (!meter.isFullWith(1, path.length + value.length)) continue;
    yield text;
    text = '';
  }
  yield text;
}

/**
 * The tree as a document, in pieces; the members of each object in the order of their names' UTF-8 bytes. No document is
 * built: the leaves are walked through, and each says by its path what ends and what begins before it.
 */
export function* writeTree(tree: Tree, writer: DocumentWriter): Generator<string> {
  const ordering = inNameOrder(nodesOf(tree));
  let step = ordering.next();
  for (; !step.done; step = ordering.next()) yield '';
  const meter = new StepMeter();
  const objects = new ObjectPath(writer);
  for (const [path, value] of step.value) {
    if (value === null) {
      objects.moveTo(`${path}/`);
      continue;
    }
    if (!objects.holds(path)) objects.moveTo(path.slice(0, path.lastIndexOf('/') + 1));
    writer.name(path.slice(objects.path.length));
    writer.scalar(value);
    if (meter.isFullWith(1, path.length + value.length)) yield writer.take();
  }
  objects.close();
  yield writer.take();
}

function nodesOf({ leaves, emptyTrees }: Tree): readonly Node[] {
  return emptyTrees.length === 0 ? leaves : [...leaves, ...emptyTrees.map((path): Node => [path, null])];
}

/** The objects that are open: the root, and one in the other down to that at `path`, which ends with a slash. */
class ObjectPath {
  path = '/';
  readonly #writer: DocumentWriter;

  constructor(writer: DocumentWriter) {
    this.#writer = writer;
    writer.beginObject();
  }

  /** Whether the innermost object holds the leaf itself. */
  holds(leaf: string): boolean {
    return leaf.lastIndexOf('/') === this.path.length - 1 && leaf.startsWith(this.path);
  }

  moveTo(path: string): void {
    while (!path.startsWith(this.path)) this.#leave();
    for (let start = this.path.length; start < path.length; start = this.path.length) {
      const end = path.indexOf('/', start);
      this.#writer.name(path.slice(start, end));
      this.#writer.beginObject();
      this.path = path.slice(0, end + 1);
    }
  }

  close(): void {
    this.moveTo('/');
    this.#writer.endObject();
  }

  #leave(): void {
    this.#writer.endObject();
    this.path = this.path.slice(0, this.path.lastIndexOf('/', this.path.length - 2) + 1);
  }
}
