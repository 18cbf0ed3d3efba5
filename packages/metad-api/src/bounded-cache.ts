interface Entry<V> {
  readonly value: V;
  readonly weight: number;
}

/**
 * A map that forgets what has not been used for a while, so that its weight stays below a bound. Two generations
 * instead of an exact order of use: a hit among the young costs one look-up, and what is in neither generation was not
 * used since the last change of generation.
 */
export class BoundedCache<V> {
  readonly #maxGenerationWeight: number;
  #young = new Map<string, Entry<V>>();
  #old = new Map<string, Entry<V>>();
  #youngWeight = 0;

  constructor(options: { readonly maxWeight: number }) {
    this.#maxGenerationWeight = Math.max(1, options.maxWeight / 2);
  }

  get(key: string): V | undefined {
    const young = this.#young.get(key);
    if (young !== undefined) return young.value;
    const old = this.#old.get(key);
    if (old === undefined) return undefined;
    this.#old.delete(key);
    this.#add(key, old);
    return old.value;
  }

  /** Keeps `value`, unless it alone weighs more than half of the bound. */
  set(key: string, value: V, weight = 1): void {
    this.delete(key);
    if (weight <= this.#maxGenerationWeight) this.#add(key, { value, weight });
  }

  delete(key: string): void {
    this.#old.delete(key);
    const young = this.#young.get(key);
    if (young === undefined) return;
    this.#young.delete(key);
    this.#youngWeight -= young.weight;
  }

  clear(): void {
    if (this.#young.size > 0) this.#young = new Map();
    if (this.#old.size > 0) this.#old = new Map();
    this.#youngWeight = 0;
  }

  #add(key: string, entry: Entry<V>): void {
    if (this.#youngWeight + entry.weight > this.#maxGenerationWeight) {
      this.#old = this.#young;
      this.#young = new Map();
      this.#youngWeight = 0;
    }
    this.#young.set(key, entry);
    this.#youngWeight += entry.weight;
  }
}
