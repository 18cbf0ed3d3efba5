import type { Batch } from './batch.ts';
import {
  ManageCalls,
  type ManageConnectionOptions,
  type WriteOptions,
  type WriteResult,
} from './manage-call.ts';
import { ManagedTree } from './managed-tree.ts';
import { ManagedRules } from './rules.ts';

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
    return this.#calls.write({ method: 'POST', target: '/v1/batch', body: batch }, options);
  }

  /** Ends every call and every connection. */
  close(): void {
    this.#calls.close();
  }
}
