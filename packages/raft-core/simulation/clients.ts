import { TICK } from './event-queue.ts';
import type { Operation, ReadOutcome, WriteOutcome } from './operation.ts';
import type { SimulatedCluster } from './simulated-cluster.ts';
import type { SimulatedNode } from './simulated-node.ts';
import type { Write } from './write.ts';

/** How often a call that was refused for certain goes on to the node that is said to lead. */
const MAX_REDIRECTS = 2;

/** Clients that write and read a few keys on any node, and remember what they were told: the history. */
export class Clients {
  readonly #cluster: SimulatedCluster;
  readonly #history: Operation[] = [];
  #events = 0;
  #values = 0;
  #active = true;

  constructor(cluster: SimulatedCluster) {
    this.#cluster = cluster;
    for (let client = 1; client <= cluster.profile.clients; client += 1) this.#think(client);
  }

  get history(): readonly Operation[] {
    return this.#history;
  }

  get keys(): readonly string[] {
    return Array.from({ length: this.#cluster.profile.keys }, (_, i) => String.fromCharCode(0x61 + i));
  }

  /** No more calls; what is open may still be answered. */
  stop(): void {
    this.#active = false;
  }

  /** Writes a value that no one else writes. */
  put(client: number, node: SimulatedNode): void {
    const { random } = this.#cluster.world;
    this.#values += 1;
    this.#write(client, { type: 'put', key: random.pick(this.keys) ?? 'a', value: `v${this.#values}` }, node);
  }

  /** `redo`: asks again for as long as the node drops the read. */
  read(client: number, key: string, node: SimulatedNode, redo = false): void {
    const position = this.#call({
      type: 'read',
      client,
      key,
      call: this.#stamp(),
      outcome: { type: 'unknown' },
    });
    this.#note(client, () => `reads ${key} on ${node.name}`);
    node.process.whenAwake(() =>
      node.process.read(key, (result) => {
        if (result.type === 'ok') {
          this.#readReturns(position, { type: 'ok', at: this.#stamp(), value: result.value });
          return;
        }
        this.#readReturns(position, { type: 'failed' });
        if (redo) this.#cluster.world.queue.after(TICK, () => this.read(client, key, node, redo));
      }),
    );
  }

  #think(client: number): void {
    const { queue, random } = this.#cluster.world;
    queue.after(random.wait(this.#cluster.profile.thinkingTicks * TICK), () => {
      if (!this.#active) return;
      this.#act(client);
      this.#think(client);
    });
  }

  #act(client: number): void {
    const { random } = this.#cluster.world;
    const node = this.#pickNode();
    const key = random.pick(this.keys) ?? 'a';
    if (node === undefined) return;
    if (random.chance(0.45)) this.read(client, key, node);
    else if (random.chance(0.15)) this.#write(client, { type: 'delete', key }, node);
    else
      for (let left = 1 + random.below(this.#cluster.profile.burst); left > 0; left -= 1)
        this.put(client, node);
  }

  /** Anyone who leads, or thinks so, or anyone at all; also one that stands still, and takes the call later. */
  #pickNode(): SimulatedNode | undefined {
    const { random } = this.#cluster.world;
    const running = this.#cluster.nodes.filter((node) => node.isRunning);
    const leading = running.filter((node) => node.status?.role === 'leader');
    return random.pick(leading.length > 0 && random.chance(0.6) ? leading : running);
  }

  #write(client: number, write: Write, node: SimulatedNode): void {
    const { key } = write;
    const call = { client, key, call: this.#stamp(), outcome: { type: 'unknown' } } as const;
    const position = this.#call(
      write.type === 'put' ? { ...call, type: 'put', value: write.value } : { ...call, type: 'delete' },
    );
    node.process.whenAwake(() => this.#propose(position, { write, node, redirects: MAX_REDIRECTS }));
  }

  #propose(
    position: number,
    {
      write,
      node,
      redirects,
    }: { readonly write: Write; readonly node: SimulatedNode; readonly redirects: number },
  ): void {
    const result = node.process.propose(write, (answer) => {
      if (answer === 'ok') this.#writeReturns(position, { type: 'ok', at: this.#stamp() });
      else if (answer === 'superseded') this.#superseded(position);
      else this.#cluster.world.coverage.met('write unknown');
    });
    this.#note(
      this.#history[position]?.client ?? 0,
      () => `asks ${node.name} to ${write.type} ${write.key}: ${result.type}`,
    );
    if (result.type === 'appended') return;
    const next = result.leader === null ? undefined : this.#cluster.node(result.leader);
    if (redirects === 0 || next === undefined || next === node || !next.isRunning) {
      this.#writeReturns(position, { type: 'failed' });
      return;
    }
    next.process.whenAwake(() => this.#propose(position, { write, node: next, redirects: redirects - 1 }));
  }

  #superseded(position: number): void {
    this.#cluster.world.coverage.met('write superseded');
    this.#writeReturns(position, { type: 'failed' });
  }

  #call(operation: Operation): number {
    return this.#history.push(operation) - 1;
  }

  #writeReturns(position: number, outcome: WriteOutcome): void {
    const operation = this.#history[position];
    if (operation === undefined || operation.type === 'read') return;
    this.#history[position] = { ...operation, outcome };
    this.#cluster.world.coverage.met(outcome.type === 'ok' ? 'write acknowledged' : 'write refused');
    this.#note(
      operation.client,
      () => `${operation.type} ${operation.key} of ${operation.call}: ${outcome.type}`,
    );
  }

  #readReturns(position: number, outcome: ReadOutcome): void {
    const operation = this.#history[position];
    if (operation?.type !== 'read') return;
    this.#history[position] = { ...operation, outcome };
    this.#cluster.world.coverage.met(outcome.type === 'ok' ? 'read answered' : 'read dropped');
    const saw = outcome.type === 'ok' ? `sees ${outcome.value}` : 'is dropped';
    this.#note(operation.client, () => `read ${operation.key} of ${operation.call} ${saw}`);
  }

  /** Events are counted, so that no two of them happen at one time. */
  #stamp(): number {
    this.#events += 1;
    return this.#events;
  }

  #note(client: number, what: () => string): void {
    this.#cluster.world.trace.note(`client${client}`, what);
  }
}
