/** How many entries a log keeps, and by how many more it grows before the front is cut off. */
const KEPT = 10_000;

/** A disk that is an array. */
export class MemoryLog {
  #entries;
  #first = 1;

  constructor(entry) {
    this.#entries = [entry];
  }

  append(entries) {
    for (const entry of entries) this.#entries.push(entry);
  }

  /** The last entry dropped, now and then. In a cluster without faults all but the newest entries are applied. */
  maybeCompact() {
    if (this.#entries.length < 2 * KEPT) return null;
    const dropped = this.#entries.splice(0, this.#entries.length - KEPT);
    this.#first += dropped.length;
    return dropped.at(-1);
  }

  logId(index) {
    return this.#entries[index - this.#first];
  }

  entries({ from, to }) {
    return this.#entries.slice(from - this.#first, to - this.#first);
  }
}
