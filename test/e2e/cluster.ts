import { type ManageConnectionOptions, MetadManageClient } from '@metad/metad-api/client';
import { afterAll, afterEach, vi } from 'vitest';
import { json, type Reply, send, versionOf } from './http.ts';
import type { ChangeAnswer, ClusterMetrics } from './metrics.ts';
import { NodeSet } from './node-set.ts';
import { waitUntil } from './wait-until.ts';

/** Longer than `waitUntil` waits, which says what was awaited. */
const TEST_TIMEOUT_MS = 180_000;
const PROBE_TIMEOUT_MS = 2_000;

/** Nodes for the tests of one file: their logs are printed when a test fails, and nothing of them stays behind. */
export function useCluster(): Cluster {
  const cluster = new Cluster();
  vi.setConfig({ testTimeout: TEST_TIMEOUT_MS, hookTimeout: TEST_TIMEOUT_MS });
  afterEach(({ task }) => {
    if (task.result?.state === 'fail') cluster.printLogs();
  });
  afterAll(() => cluster.close());
  return cluster;
}

/** Nodes, and what is asked of them: every request names the node it goes to. */
export class Cluster extends NodeSet {
  readonly #clients: MetadManageClient[] = [];

  /** A client of the manage API of these nodes, in this order, which goes on until one of them has done what it asks for. */
  client(
    ids: readonly number[] = this.ids,
    options: Partial<ManageConnectionOptions> = {},
  ): MetadManageClient {
    const endpoints = ids.map((id) => `http://127.0.0.1:${this.node(id).ports.manage}`);
    const client = new MetadManageClient({ endpoints, startAt: 'first', ...options });
    this.#clients.push(client);
    return client;
  }

  override close(): Promise<void> {
    for (const client of this.#clients) client.close();
    return super.close();
  }

  /** The node that leads, by its own word in the newest term; waits until there is one. */
  leader(ids: readonly number[] = this.runningIds): Promise<number> {
    return waitUntil(async () => {
      const settled = await Promise.allSettled(ids.map((id) => this.metrics(id)));
      const seen = settled.flatMap((result) => (result.status === 'fulfilled' ? [result.value.Ok] : []));
      const term = Math.max(...seen.map(({ current_term }) => current_term));
      return seen.find((node) => node.state === 'Leader' && node.current_term === term)?.id ?? null;
    }, `a leader among ${ids}`);
  }

  async metrics(id: number): Promise<ClusterMetrics> {
    const reply = await send({
      port: this.node(id).ports.cluster,
      path: '/metrics',
      timeoutMs: PROBE_TIMEOUT_MS,
    });
    return json(reply) as ClusterMetrics;
  }

  /** A call of the KV and cluster API with a JSON body. */
  post(id: number, path: string, body: unknown): Promise<Reply> {
    const headers = { 'Content-Type': 'application/json' };
    return send({
      port: this.node(id).ports.cluster,
      method: 'POST',
      path,
      headers,
      body: JSON.stringify(body),
    });
  }

  /** Puts one key; throws unless it was acknowledged. */
  async write(id: number, key: string, value: string): Promise<void> {
    const reply = await this.post(id, '/write', { Put: { key, value } });
    if (reply.status === 200 && reply.text === '"OK"') return;
    throw new Error(`node ${id} did not write ${key}: ${reply.status} ${reply.text}`);
  }

  /** The value of one key, linearizable. */
  async read(id: number, key: string): Promise<string> {
    const answer = json(await this.post(id, '/read', key)) as { OK?: string };
    if (answer.OK === undefined) throw new Error(`node ${id} did not read ${key}: ${JSON.stringify(answer)}`);
    return answer.OK;
  }

  /** Every key and its value, linearizable. */
  async readAll(id: number): Promise<ReadonlyMap<string, string>> {
    const reply = await send({ port: this.node(id).ports.cluster, path: '/read-all' });
    const answer = json(reply) as { OK?: readonly { k: string; v: string }[] };
    if (answer.OK === undefined)
      throw new Error(`node ${id} did not read all: ${reply.status} ${reply.text}`);
    return new Map(answer.OK.map(({ k, v }) => [k, v]));
  }

  /** A request to the manage API of one node. */
  manage(id: number, method: string, path: string, body?: unknown): Promise<Reply> {
    const text = body === undefined ? undefined : JSON.stringify(body);
    const headers = { Accept: 'application/json' };
    return send({ port: this.node(id).ports.manage, method, path, headers, body: text });
  }

  /** A read of the metadata API as the client with this address. */
  metadata(id: number, path: string, clientIp: string, headers: Record<string, string> = {}): Promise<Reply> {
    const all = { Accept: 'application/json', 'X-Forwarded-For': clientIp, ...headers };
    return send({ port: this.node(id).ports.metadata, path, headers: all });
  }

  /** The version of what this node has applied: a local read. */
  async version(id: number): Promise<number> {
    return versionOf(await this.metadata(id, '/', '203.0.113.255'));
  }

  /** Waits until the nodes have applied the same log index, and gives it. */
  converged(ids: readonly number[] = this.runningIds): Promise<number> {
    return waitUntil(async () => {
      const applied = await Promise.all(
        ids.map(async (id) => (await this.metrics(id)).Ok.last_applied?.index),
      );
      return new Set(applied).size === 1 ? applied[0] : null;
    }, `nodes ${ids} at one applied index`);
  }

  async addLearner(through: number, id: number, addr = this.node(id).addr): Promise<ChangeAnswer> {
    return json(await this.post(through, '/add-learner', [id, addr])) as ChangeAnswer;
  }

  async changeMembership(through: number, voters: readonly number[]): Promise<ChangeAnswer> {
    return json(await this.post(through, '/change-membership', voters)) as ChangeAnswer;
  }
}
