import { type Leaf, ROOT, type StateView, type TreeName } from '@metad/kv-store';
import { LOOK_LEAVES, MAX_STEP_CHARACTERS, StepMeter, type Steps } from '../steps.ts';

/** How much one answer, or a page of one, may hold. */
export interface ReadLimits {
  readonly maxLeaves: number;
  /** Of values; reached by the last leaf, which may go beyond it. */
  readonly maxBytes: number;
}

/** Of an answer of the metadata API: more than any machine has to read, and no more than memory has room for. */
export const METADATA_LIMITS: ReadLimits = { maxLeaves: 500_000, maxBytes: 64 * 1024 * 1024 };

/** Which leaves are read, and what they are called. */
export interface Source {
  readonly tree: TreeName;
  readonly path: string;
  /** In the answer `path` is called like this: the empty string for what was asked for itself. Null: by its own name. */
  readonly as: string | null;
  /** Null: all of them are taken. */
  readonly takes: ((path: string) => boolean) | null;
  /** They begin behind this path; none or null: with the first. */
  readonly after?: string | null;
}

/** As many are read at a time where values are small. */
const MAX_PAGE_LEAVES = 64;
/** Before it is known how large values are: they may have a megabyte each. */
const FIRST_PAGE_LEAVES = 8;

/** Reads the leaves of one answer from one view, in steps, up to limits for all of them together. */
export class LeafReader {
  readonly #view: StateView;
  readonly #limits: ReadLimits;
  readonly #without: ReadonlySet<string> | null;
  readonly #meter = new StepMeter();
  #leaves = 0;
  #bytes = 0;
  #isOver = false;

  /** `without` are leaves to be passed over, as if they were not there; null: none. */
  constructor(view: StateView, limits: ReadLimits, without: ReadonlySet<string> | null = null) {
    this.#view = view;
    this.#limits = limits;
    this.#without = without;
  }

  /** Whether there is more than the limits allow: then what was read is as much as they allow, and not all. */
  get isOver(): boolean {
    return this.#isOver;
  }

  /** How many steps it has taken so far, with the part of the last one. */
  get steps(): number {
    return this.#meter.steps;
  }

  /** The leaves that show at or below a path and are taken, in the order of their paths. */
  *read({ tree, path, as, takes, after: first = null }: Source): Steps<Leaf[]> {
    const taken: Leaf[] = [];
    const start = path === ROOT ? 0 : path.length;
    let after = first;
    let limit = FIRST_PAGE_LEAVES;
    while (!this.#isOver) {
      const page: Leaf[] = this.#view.leavesPage(tree, path, { after, limit });
      let characters = 0;
      for (const [leaf, value] of page) {
        characters += value.length;
        if ((takes !== null && !takes(leaf)) || this.#without?.has(leaf)) continue;
        if (!this.#makeRoom(value)) break;
        taken.push([as === null ? leaf : as + leaf.slice(start), value]);
      }
      if (this.#meter.isFullWith(LOOK_LEAVES + page.length, characters)) yield;
      if (page.length < limit) return taken;
      after = page.at(-1)?.[0] ?? null;
      limit = pageLike(characters / page.length);
    }
    return taken;
  }

  /** Whether there is room for one more. */
  #makeRoom(value: string): boolean {
    this.#isOver ||= this.#leaves >= this.#limits.maxLeaves || this.#bytes >= this.#limits.maxBytes;
    this.#leaves += 1;
    this.#bytes += value.length;
    return !this.#isOver;
  }
}

/** How many leaves a page takes that is read in a step, where those before it had values of about that length. */
function pageLike(characters: number): number {
  return Math.min(Math.max(1, Math.floor(MAX_STEP_CHARACTERS / characters)), MAX_PAGE_LEAVES);
}
