import { createHash } from 'node:crypto';
import { type SnapshotManifest, StateDatabase, type StateView } from '@metad/kv-store';
import type { LogId, Membership } from '@metad/raft-core';

/** What a backup holds, a line for each thing. It must have been verified. */
export function backupLines(file: string, manifest: SnapshotManifest): string {
  const { version, featureLevel, digest, cluster, meta } = manifest;
  return table([
    ['version', String(version)],
    ...contentRows(file),
    ['log id', formatLogId(meta.last)],
    ['cluster', cluster ?? 'unknown'],
    ['members', formatMembers(meta.membership)],
    ['level', String(featureLevel)],
    ['digest', digest],
  ]);
}

/** How much a state holds, whose file nobody writes. */
export function contentRows(stateFile: string): [string, string][] {
  const state = StateDatabase.open(stateFile);
  try {
    return state.read((view) => [
      ['leaves', String(view.count('data'))],
      ['mappings', `${view.count('mapping')} names`],
      ['rules', `for ${view.allRules().length} clients`],
      ['content', digestOf(view)],
    ]);
  } finally {
    state.close();
  }
}

/** What `content` is in the lines about a backup. */
export function contentDigest(stateFile: string): string {
  const state = StateDatabase.open(stateFile);
  try {
    return state.read(digestOf);
  } finally {
    state.close();
  }
}

const PAGE_ROWS = 1024;

/**
 * SHA-256, in hex, over every value, target and rule as it is stored. Equal wherever the content is; the digest that goes
 * with the log stands for what was applied, and would not notice a row that was changed by other means.
 */
function digestOf(view: StateView): string {
  const hash = createHash('sha256');
  for (const tree of ['data', 'mapping'] as const) {
    for (let after: string | null = null, isEnd = false; !isEnd; ) {
      const rows = view.values(tree, { after, limit: PAGE_ROWS });
      for (const [path, value] of rows) hash.update(JSON.stringify([tree, path, value]));
      after = rows.at(-1)?.[0] ?? after;
      isEnd = rows.length < PAGE_ROWS;
    }
  }
  for (const [host, rules] of view.allRules()) {
    hash.update(JSON.stringify(['rules', host, rules.map(({ path, mode }) => [path, mode])]));
  }
  return hash.digest('hex');
}

export function formatLogId({ term, leader, index }: LogId): string {
  return index === 0 ? 'none' : `index ${index} of term ${term}, leader ${leader}`;
}

export function formatMembers({ configs, nodes }: Membership): string {
  if (nodes.size === 0) return 'none';
  const voters = new Set(configs.flat());
  return [...nodes]
    .map(([node, { addr }]) => `${node}=${addr}${voters.has(node) ? '' : ' (learner)'}`)
    .join(', ');
}

export function formatBytes(bytes: number): string {
  if (bytes < 1024) return `${bytes} bytes`;
  const kib = bytes / 1024;
  if (kib < 1024) return `${kib.toFixed(1)} KiB`;
  return kib < 1024 ** 2 ? `${(kib / 1024).toFixed(1)} MiB` : `${(kib / 1024 ** 2).toFixed(2)} GiB`;
}

/** Names and what they are, in two columns, indented. */
export function table(rows: readonly (readonly [name: string, value: string])[]): string {
  const width = Math.max(...rows.map(([name]) => name.length));
  return rows.map(([name, value]) => `  ${name.padEnd(width)}  ${value}`).join('\n');
}
