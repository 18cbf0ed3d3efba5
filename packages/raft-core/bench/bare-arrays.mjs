import { MemoryLog } from './memory-log.mjs';

/** What a cluster is compared with: the same entries put into every node's log and counted there, without an engine. */
export class BareArrays {
  #nodes;
  #batch = [];
  #reads = [];
  #index = 1;

  constructor({ voters, learners }) {
    const first = { term: 1, leader: 1, index: 1, payload: { type: 'blank' } };
    this.#nodes = Array.from({ length: voters + learners }, () => ({
      log: new MemoryLog(first),
      applied: 0,
    }));
  }

  propose(data) {
    this.#index += 1;
    this.#batch.push({ term: 1, leader: 1, index: this.#index, payload: { type: 'command', data } });
  }

  read(id) {
    this.#reads.push({ id, index: this.#index });
  }

  settle() {
    for (const node of this.#nodes) {
      node.log.append(this.#batch);
      node.applied += this.#batch.length;
      node.log.maybeCompact();
    }
    this.#batch = [];
    this.#reads = [];
  }
}
