import { isLeafPage } from './documents.ts';
import {
  expectDocument,
  type ManageCalls,
  type ManageReadOptions,
  type WriteCondition,
  type WriteOptions,
  type WriteResult,
} from './manage-call.ts';
import { MetadError } from './metad-error.ts';
import { isMetadataValue, type MetadataState } from './metadata-value.ts';
import { nameList, type Query, targetOf } from './target.ts';

/** What can be written: a node stores strings, so that `1` becomes `"1"`, and an array an object with the keys 0, 1, … */
export type JsonValue =
  | null
  | boolean
  | number
  | string
  | readonly JsonValue[]
  | { readonly [name: string]: JsonValue };

export interface TreeReadOptions extends ManageReadOptions {
  /** As it was at this version. A `MetadError` of the kind `gone` when that is no longer known. */
  readonly atVersion?: number | undefined;
}

export interface TreeWriteOptions extends WriteOptions {
  readonly onlyIf?: WriteCondition | undefined;
}

export interface TreeDeleteOptions extends TreeWriteOptions {
  /** These children only; without a comma in their names. */
  readonly subs?: readonly string[] | undefined;
}

export type SwapResult =
  | { readonly swapped: true; readonly version: number }
  /** It is no longer as it was expected to be. Nothing was changed. */
  | { readonly swapped: false; readonly version: number | null };

export interface LeavesOptions extends ManageReadOptions {
  /** How many are read at once, at most 1000, which is the default. */
  readonly pageSize?: number | undefined;
}

const MAX_PAGE_LEAVES = 1000;

/** The data, or the mapping: `manage.data`, `manage.mapping`. Each call is one change, applied once or not at all. */
export class ManagedTree {
  readonly #calls: ManageCalls;
  readonly #prefix: string;

  constructor(calls: ManageCalls, name: 'data' | 'mapping') {
    this.#calls = calls;
    this.#prefix = `/v1/${name}`;
  }

  /** What stands at a path. */
  async get(
    path = '/',
    { consistency, atVersion, ...options }: TreeReadOptions = {},
  ): Promise<MetadataState> {
    const target = this.#target(path, { consistency, version: atVersion });
    const { version, document } = await this.#calls.read(target, {
      ...options,
      isPast: atVersion !== undefined,
    });
    if (document === null) return { found: false, version };
    return { found: true, value: expectDocument(document, isMetadataValue, 'a tree of strings'), version };
  }

  /**
   * The path and the value of everything at and below a path, in order, however much it is. It is read page by page, so
   * that what is written meanwhile may be there or not.
   */
  async *leaves(
    path = '/',
    { pageSize, consistency, ...options }: LeavesOptions = {},
  ): AsyncGenerator<readonly [path: string, value: string], void, undefined> {
    let cursor: string | null | undefined;
    do {
      const target = this.#target(path, { consistency, limit: pageSize ?? MAX_PAGE_LEAVES, cursor });
      const { document } = await this.#calls.read(target, options);
      if (document === null) return;
      const page = expectDocument(document, isLeafPage, 'a page of a tree');
      yield* Object.entries(page.leaves);
      cursor = page.cursor;
    } while (cursor !== null);
  }

  /** Sets the values of a document at and below a path; others stay. */
  async merge(
    path: string,
    value: JsonValue,
    { onlyIf, ...options }: TreeWriteOptions = {},
  ): Promise<WriteResult> {
    const target = this.#target(path);
    return this.#calls.write({ method: 'PUT', target, body: value, condition: onlyIf }, options);
  }

  /** Puts a document in the place of all that stands at and below a path. */
  async replace(
    path: string,
    value: JsonValue,
    { onlyIf, ...options }: TreeWriteOptions = {},
  ): Promise<WriteResult> {
    const target = this.#target(path);
    return this.#calls.write({ method: 'POST', target, body: value, condition: onlyIf }, options);
  }

  /** Deletes what stands at and below a path. Where there is nothing it changes nothing. */
  async delete(path: string, { onlyIf, subs, ...options }: TreeDeleteOptions = {}): Promise<WriteResult> {
    const target = this.#target(path, { subs: subs && nameList(subs) });
    return this.#calls.write({ method: 'DELETE', target, condition: onlyIf }, options);
  }

  /**
   * Replaces what stands at a path, provided that nothing there has changed since `expected`: the version of an answer
   * that showed it, or `absent`. Read again and decide anew when it has not swapped. Rejects as `preconditionFailed` only
   * when `absent` was expected, something is there, and an attempt of this call that got no answer may be applied yet.
   */
  async compareAndSet(
    path: string,
    { expected, value }: { readonly expected: number | 'absent'; readonly value: JsonValue },
    options: WriteOptions = {},
  ): Promise<SwapResult> {
    const onlyIf = expected === 'absent' ? expected : { version: expected };
    try {
      const { version } = await this.replace(path, value, { ...options, onlyIf });
      return { swapped: true, version };
    } catch (error) {
      const isOutcome =
        error instanceof MetadError && error.kind === 'preconditionFailed' && !error.mayHaveApplied;
      if (!isOutcome) throw error;
      return { swapped: false, version: error.version };
    }
  }

  #target(path: string, query: Query = {}): string {
    return targetOf(this.#prefix, path, query);
  }
}
