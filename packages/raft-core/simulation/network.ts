import type { NodeId } from '@metad/raft-core';
import type { Coverage } from './coverage.ts';
import { type EventQueue, TICK } from './event-queue.ts';
import type { Random } from './random.ts';

/** How the network treats what travels on it. Times in units of virtual time. */
export interface NetworkQuality {
  readonly loss: number;
  readonly duplication: number;
  readonly minDelay: number;
  readonly maxDelay: number;
  /** Most delays are short, and few are very long: what comes late is as late as can be. */
  readonly stragglers: boolean;
  /** Each connection delivers in order, as TCP does; otherwise messages overtake each other. */
  readonly ordered: boolean;
}

export const PERFECT: NetworkQuality = {
  loss: 0,
  duplication: 0,
  minDelay: 1,
  maxDelay: 1,
  stragglers: false,
  ordered: true,
};

export interface Link {
  readonly from: NodeId;
  readonly to: NodeId;
}

/** Connections that lose, double, delay, reorder, and are cut one way or both. */
export class Network {
  readonly #queue: EventQueue;
  readonly #random: Random;
  readonly #coverage: Coverage;
  /** What waits on each link that is cut: null when it loses everything. */
  readonly #cut = new Map<string, (() => void)[] | null>();
  readonly #lastArrival = new Map<string, number>();
  #generation = 0;
  quality: NetworkQuality = PERFECT;
  /** Everything that was handed to the network, doubles not counted. */
  sent = 0;

  constructor(queue: EventQueue, random: Random, coverage: Coverage) {
    this.#queue = queue;
    this.#random = random;
    this.#coverage = coverage;
  }

  /** Calls `arrive` once, twice, or never. `size` is how many delays it takes. */
  send(link: Link, arrive: () => void, size = 1): void {
    this.sent += 1;
    const { loss, duplication } = this.quality;
    if (this.#random.chance(loss)) {
      this.#coverage.met('message lost');
      return;
    }
    this.#travel(link, arrive, size);
    if (!this.#random.chance(duplication)) return;
    this.#coverage.met('message doubled');
    this.#travel(link, arrive, size);
  }

  /** `holding`: as a connection does whose packets are sent again and again, and get through when it mends. */
  cut(links: readonly Link[], { holding = false }: { readonly holding?: boolean } = {}): void {
    for (const link of links)
      if (!this.#cut.has(nameOf(link))) this.#cut.set(nameOf(link), holding ? [] : null);
  }

  mend(links: readonly Link[]): void {
    for (const link of links) this.#mend(nameOf(link));
  }

  /** All connections are made anew, and work: what travelled on the old ones is lost. */
  renew(): void {
    this.#cut.clear();
    this.#lastArrival.clear();
    this.#generation += 1;
  }

  #mend(name: string): void {
    const held = this.#cut.get(name) ?? [];
    this.#cut.delete(name);
    for (const arrive of held) this.#queue.after(this.quality.minDelay, arrive);
  }

  #travel(link: Link, arrive: () => void, size: number): void {
    let delay = 0;
    for (let i = 0; i < size; i += 1) delay += this.#delay();
    if (this.quality.ordered) {
      const name = nameOf(link);
      const earliest = (this.#lastArrival.get(name) ?? 0) - this.#queue.now;
      delay = Math.max(delay, earliest);
      this.#lastArrival.set(name, this.#queue.now + delay);
    }
    const generation = this.#generation;
    this.#queue.after(delay, () => {
      if (this.#generation === generation) this.#arrive(link, arrive);
    });
  }

  #arrive(link: Link, arrive: () => void): void {
    const held = this.#cut.get(nameOf(link));
    if (held === undefined) arrive();
    else if (held === null || held.length >= MAX_HELD) this.#coverage.met('message lost');
    else {
      held.push(arrive);
      this.#coverage.met('message held');
    }
  }

  #delay(): number {
    const { minDelay, maxDelay, stragglers } = this.quality;
    const share = this.#random.next() ** (stragglers ? 8 : 1);
    return minDelay + Math.floor(share * (maxDelay - minDelay + 1));
  }
}

/** Messages that wait on a link that is cut. */
const MAX_HELD = 200;

function nameOf({ from, to }: Link): string {
  return `${from}>${to}`;
}

/** A network within one room: a tenth of a tick at most. */
export function nearby(random: Random): NetworkQuality {
  return { ...PERFECT, minDelay: 1, maxDelay: 1 + random.below(TICK / 10) };
}
