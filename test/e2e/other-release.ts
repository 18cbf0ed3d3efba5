import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const LEVEL = /^export const MAX_FEATURE_LEVEL = (\d+);$/m;
const LEVEL_FILE = join('packages', 'kv-store', 'dist', 'feature-level.js');

/** A release that knows another feature level than the one under test, in a directory of its own. */
export interface OtherRelease {
  /** The highest that it knows. */
  readonly level: number;
  /** Its daemon. */
  readonly metad: string;
  dispose(): void;
}

/** The highest feature level that the build under test knows. */
export function knownLevel(): number {
  return Number(LEVEL.exec(readFileSync(join(ROOT, LEVEL_FILE), 'utf8'))?.[1]);
}

/** A copy of the packages as they were built last, but for what it knows. */
export function releaseWithLevel(level: number): OtherRelease {
  const directory = mkdtempSync(join(tmpdir(), `metad-level-${level}-`));
  const dispose = () => rmSync(directory, { recursive: true, force: true });
  try {
    for (const name of ['raft-core', 'kv-store', 'metad-api', 'cluster-api']) copyPackage(name, directory);
    // The packages' own links are relative: to each other, within the copy, and to this.
    symlinkSync(join(ROOT, 'node_modules'), join(directory, 'node_modules'));
    const file = join(directory, LEVEL_FILE);
    const text = readFileSync(file, 'utf8');
    if (!LEVEL.test(text)) throw new Error(`${LEVEL_FILE} does not say what this release knows`);
    writeFileSync(file, text.replace(LEVEL, `export const MAX_FEATURE_LEVEL = ${level};`));
  } catch (error) {
    dispose();
    throw error;
  }
  return { level, metad: join(directory, 'packages', 'cluster-api', 'bin', 'metad.js'), dispose };
}

const NOT_RUN = /\.(d\.ts|map|tsbuildinfo)$|\/(src|test|bench|simulation|\.vite)$|\.md$/;

function copyPackage(name: string, directory: string): void {
  cpSync(join(ROOT, 'packages', name), join(directory, 'packages', name), {
    recursive: true,
    verbatimSymlinks: true,
    filter: (source) => !NOT_RUN.test(source),
  });
}
