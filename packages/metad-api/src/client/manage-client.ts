import type { Batch } from './batch.ts';
import {
  type Diff,
  type Explanation,
  type HistoryPage,
  isDiff,
  isExplanation,
  isHistoryPage,
} from './documents.ts';
import {
  expectDocument,
  ManageCalls,
  type ManageConnectionOptions,
  type ManageReadOptions,
  type WriteOptions,
  type WriteResult,
} from './manage-call.ts';
import { ManagedTree } from './managed-tree.ts';
import { isMetadataValue, type MetadataState } from './metadata-value.ts';
import { ManagedRules } from './rules.ts';
import { targetOf } from './target.ts';

export interface HistoryOptions extends ManageReadOptions {
  /** Without it a path is one of the data, and the root all there is. */
  readonly tree?: 'data' | 'mapping' | 'rule' | undefined;
  /** Changes before this version: `next` of the page before. */
  readonly before?: number | undefined;
  /** At most 1000; 100 by default. */
  readonly limit?: number | undefined;
}

export interface DiffQuery {
  readonly from: number;
  /** The present by default. */
  readonly to?: number | undefined;
  readonly path?: string | undefined;
  readonly tree?: 'data' | 'mapping' | 'rule' | undefined;
  /** At most 1000, which is the default. */
  readonly limit?: number | undefined;
}

/**
 * Reads and writes through the manage API of a cluster, at whichever of its nodes. A call is tried again, at the next
 * node, after whatever another attempt may mend. Each write carries an idempotency key, so its attempts are applied once.
 *
 * Every call rejects with a `MetadError`, whose `kind` says what there is to be done, or with the reason of its signal.
 */
export class MetadManageClient {
  readonly data: ManagedTree;
  readonly mapping: ManagedTree;
  readonly rules: ManagedRules;
  readonly #calls: ManageCalls;

  /** Throws a TypeError when an endpoint is no URL. */
  constructor(options: ManageConnectionOptions) {
    this.#calls = new ManageCalls(options);
    this.data = new ManagedTree(this.#calls, 'data');
    this.mapping = new ManagedTree(this.#calls, 'mapping');
    this.rules = new ManagedRules(this.#calls);
  }

  /** The newest version that any answer has shown; 0 before the first. */
  get version(): number {
    return this.#calls.version;
  }

  /** Several changes, all or none, at one version. */
  batch(batch: Batch, options: WriteOptions = {}): Promise<WriteResult> {
    const isVersioned = batch.if?.every((condition) => 'version' in condition) ?? false;
    return this.#calls.write({ method: 'POST', target: '/v1/batch', body: batch, isVersioned }, options);
  }

  /**
   * Who changed what at or below a path, newest first: of everything, or of the data, the mapping or the rules, where a
   * path is a client's address.
   */
  async history(path = '/', { tree, before, limit, ...rest }: HistoryOptions = {}): Promise<HistoryPage> {
    const { consistency, ...options } = rest;
    const target = targetOf('/v1/history', path, { tree, before, limit, consistency });
    const { document } = await this.#calls.read(target, options);
    return expectDocument(document, isHistoryPage, 'a page of the history');
  }

  /** What is different from one version to another, or to the present. `gone` when `from` is too long ago. */
  async diff(
    { from, to, path, tree, limit }: DiffQuery,
    { consistency, ...options }: ManageReadOptions = {},
  ): Promise<Diff> {
    const target = targetOf('/v1/diff', '/', { from, to, path, tree, limit, consistency });
    const { document } = await this.#calls.read(target, options);
    return expectDocument(document, isDiff, 'a list of differences');
  }

  /** What a client with this address sees at a path of the metadata API, and which rule and mapping decide it. */
  async explain(
    { ip, path, limit }: { readonly ip: string; readonly path?: string; readonly limit?: number },
    { consistency, ...options }: ManageReadOptions = {},
  ): Promise<Explanation> {
    const target = targetOf('/v1/explain', '/', { ip, path, limit, consistency });
    const { document } = await this.#calls.read(target, options);
    return expectDocument(document, isExplanation, 'an explanation');
  }

  /** What a client with this address gets at a path of the metadata API. */
  async preview(
    { ip, path }: { readonly ip: string; readonly path: string },
    { consistency, ...options }: ManageReadOptions = {},
  ): Promise<MetadataState> {
    const target = targetOf('/v1/preview', path, { ip, consistency });
    const { version, document } = await this.#calls.read(target, options);
    if (document === null) return { found: false, version };
    return { found: true, value: expectDocument(document, isMetadataValue, 'a tree of strings'), version };
  }

  /** Ends every call and every connection. */
  close(): void {
    this.#calls.close();
  }
}
