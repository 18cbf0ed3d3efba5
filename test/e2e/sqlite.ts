import { createRequire } from 'node:module';

/** As much of better-sqlite3 as these tests need. */
export interface Sqlite {
  prepare(sql: string): { run(...values: unknown[]): unknown; pluck(): { get(): unknown } };
  close(): void;
}

// What kv-store itself opens its files with.
const kvStore = createRequire(new URL('../../packages/kv-store/package.json', import.meta.url));

/** For the state of a node, also while it runs; never for its log, whose lock would go. */
export const Database = kvStore('better-sqlite3') as new (
  file: string,
  options?: { readonly readonly: boolean },
) => Sqlite;
