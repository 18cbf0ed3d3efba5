import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { send } from './http.ts';
import { releasePorts, reservePorts } from './ports.ts';
import { type Exit, METAD, ScriptProcess } from './script-process.ts';
import { waitUntil } from './wait-until.ts';

const LOG_TAIL_CHARS = 20_000;
const PROBE_TIMEOUT_MS = 2_000;

export interface Node {
  readonly id: number;
  readonly ports: { readonly metadata: number; readonly manage: number; readonly cluster: number };
  readonly dataDir: string;
  /** `HOST:PORT` of its cluster port. */
  readonly addr: string;
  readonly flags: readonly string[];
}

/** Real `metad` processes on this machine, with the ports and the folders that belong to them. */
export class NodeSet {
  readonly #nodes = new Map<number, Node>();
  readonly #processes = new Map<number, ScriptProcess>();
  readonly #environments = new Map<number, NodeJS.ProcessEnv>();
  /** The daemons of those that run another release. */
  readonly #releases = new Map<number, string>();
  readonly #ports: number[] = [];
  readonly #root = mkdtempSync(join(tmpdir(), 'metad-e2e-'));

  get ids(): number[] {
    return [...this.#nodes.keys()];
  }

  get runningIds(): number[] {
    return this.ids.filter((id) => this.#processes.get(id)?.exit === null);
  }

  /** An empty folder for whatever else a test stores. */
  scratch(name: string): string {
    return mkdtempSync(join(this.#root, `${name}-`));
  }

  /** Gives a node its ports and its data directory. It is not started. */
  async add(id: number, ...flags: string[]): Promise<Node> {
    const [metadata = 0, manage = 0, cluster = 0] = await this.ports(3);
    const node = {
      id,
      ports: { metadata, manage, cluster },
      dataDir: join(this.#root, `node-${id}`),
      addr: `127.0.0.1:${cluster}`,
      flags,
    };
    this.#nodes.set(id, node);
    return node;
  }

  /** Ports that are this test's alone until its cluster is closed. */
  async ports(count: number): Promise<number[]> {
    const ports = await reservePorts(count);
    this.#ports.push(...ports);
    return ports;
  }

  /** What the next processes of a node find in their environment besides everything else. */
  setEnvironment(id: number, environment: NodeJS.ProcessEnv): void {
    this.#environments.set(id, environment);
  }

  /** Starts nodes 1 to `size`, those added before as they are, as one cluster and waits until each is ready. */
  async form(size: number, ...flags: string[]): Promise<void> {
    const ids = Array.from({ length: size }, (_, index) => index + 1);
    for (const id of ids) if (!this.#nodes.has(id)) await this.add(id);
    const initial = ids.map((id) => `${id}=${this.node(id).addr}`).join(',');
    const forming = size === 1 ? [] : ['--initial_cluster', initial];
    for (const id of ids) this.launch(id, ...forming, ...flags);
    for (const id of ids) await this.ready(id);
  }

  node(id: number): Node {
    const node = this.#nodes.get(id);
    if (!node) throw new Error(`there is no node ${id}`);
    return node;
  }

  process(id: number): ScriptProcess {
    const process = this.#processes.get(id);
    if (!process) throw new Error(`node ${id} was never started`);
    return process;
  }

  /** The words that start a node with its own ports and data. */
  args(id: number): string[] {
    const { ports, dataDir, flags } = this.node(id);
    const listen = (port: number): string => `127.0.0.1:${port}`;
    return [
      ...['--id', String(id), '--data_dir', dataDir, '--xff'],
      ...['--listen', listen(ports.metadata), '--listen_manage', listen(ports.manage)],
      ...['--listen_cluster', listen(ports.cluster), ...flags],
    ];
  }

  /** The node is started with this daemon from now on. */
  install(id: number, metad: string): void {
    this.#releases.set(id, metad);
  }

  /** Starts a node's process without waiting for anything. */
  launch(id: number, ...flags: string[]): ScriptProcess {
    if (this.runningIds.includes(id)) throw new Error(`node ${id} runs already`);
    const release = this.#releases.get(id) ?? METAD;
    const process = new ScriptProcess(release, [...this.args(id), ...flags], this.#environments.get(id));
    this.#processes.set(id, process);
    return process;
  }

  /** Starts a node and waits until it serves. A data directory that holds a node needs no further words. */
  async start(id: number, ...flags: string[]): Promise<void> {
    this.launch(id, ...flags);
    await this.ready(id);
  }

  /** Waits until a node knows a leader and has caught up. */
  async ready(id: number): Promise<void> {
    await this.#whileRunning(id, 'ready', async () => {
      const reply = await send({
        port: this.node(id).ports.manage,
        path: '/ready',
        timeoutMs: PROBE_TIMEOUT_MS,
      });
      return reply.status === 200;
    });
  }

  /** Waits until a node listens on all its ports: all that a standby can do. */
  async listening(id: number): Promise<void> {
    const { ports } = this.node(id);
    for (const port of [ports.cluster, ports.manage]) {
      await this.#whileRunning(id, 'listening', async () => {
        const reply = await send({ port, path: '/health', timeoutMs: PROBE_TIMEOUT_MS });
        return reply.status === 200;
      });
    }
  }

  async #whileRunning(id: number, what: string, condition: () => Promise<boolean>): Promise<void> {
    try {
      const outcome = await waitUntil(
        async () => this.process(id).exit ?? (await condition()),
        `node ${id} ${what}`,
      );
      if (outcome !== true)
        throw new Error(`node ${id} ended with ${JSON.stringify(outcome)} before it was ${what}`);
    } catch (error) {
      // No test is to blame while the nodes are being prepared for them, so nobody else would print it.
      console.error(
        `---- node ${id}, the end of its log ----\n${this.process(id).log.slice(-LOG_TAIL_CHARS)}`,
      );
      throw error;
    }
  }

  /** Ends a node in order. */
  stop(id: number): Promise<Exit> {
    return this.process(id).end('SIGTERM');
  }

  kill9(...ids: readonly number[]): Promise<Exit[]> {
    return Promise.all(ids.map((id) => this.process(id).end('SIGKILL')));
  }

  pause(id: number): void {
    this.process(id).signal('SIGSTOP');
  }

  resume(id: number): void {
    this.process(id).signal('SIGCONT');
  }

  printLogs(): void {
    for (const [id, process] of this.#processes) {
      const state = process.exit ? `ended ${JSON.stringify(process.exit)}` : 'runs';
      console.error(
        `---- node ${id} (${state}), the end of its log ----\n${process.log.slice(-LOG_TAIL_CHARS)}`,
      );
    }
  }

  /** Ends every node at once and removes what they stored. */
  async close(): Promise<void> {
    await this.kill9(...this.runningIds);
    releasePorts(this.#ports);
    rmSync(this.#root, { recursive: true, force: true });
  }
}
