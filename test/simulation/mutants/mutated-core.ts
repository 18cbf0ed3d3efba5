import { execFile } from 'node:child_process';
import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import type { Edit, Mutant } from './mutant.ts';

export interface MutatedCore {
  /** The root of the copied package: its `package.json`, its `dist`, and its `simulation/dist` when there is one. */
  readonly directory: string;
  dispose(): Promise<void>;
}

/**
 * A patched copy of the built core in a directory of its own; the original stays as it is. What is in the copy finds
 * the core by its package name, as ever, and so the copy. Throws when a fragment is not there exactly once (the
 * core has changed: so must the mutant) or when what comes out does not load.
 */
export async function mutatedCore(mutant: Mutant, core: string = builtCore()): Promise<MutatedCore> {
  const directory = await mkdtemp(join(tmpdir(), `raft-core-${mutant.name}-`));
  const dispose = () => rm(directory, { recursive: true, force: true });
  try {
    await copyCore(core, directory);
    await patch(mutant, join(directory, 'dist', mutant.file));
    await load(mutant, join(directory, 'dist', 'index.js'));
  } catch (error) {
    await dispose();
    throw error;
  }
  return { directory, dispose };
}

/** The package as it was built last. */
export function builtCore(): string {
  return dirname(dirname(createRequire(import.meta.url).resolve('@metad/raft-core')));
}

async function copyCore(core: string, directory: string): Promise<void> {
  for (const part of ['package.json', 'dist', join('simulation', 'dist')]) {
    await cp(join(core, part), join(directory, part), {
      recursive: true,
      filter: (source) => !/\.(d\.ts|d\.ts\.map|tsbuildinfo)$/.test(source),
    }).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'ENOENT' || !part.startsWith('simulation')) throw error;
    });
  }
}

async function patch({ name, file, edits }: Mutant, path: string): Promise<void> {
  let text = await readFile(path, 'utf8');
  for (const edit of edits) text = patched(text, edit, `mutant ${name}, ${file}`);
  await writeFile(path, text);
}

function patched(text: string, { from, to }: Edit, where: string): string {
  const parts = text.split(from);
  const [before, after] = parts;
  if (before === undefined || after === undefined || parts.length !== 2) {
    throw new Error(`${where}: expected once, found ${parts.length - 1} times: ${from}`);
  }
  return before + to + after;
}

/** In a process of its own: a module is never unloaded. */
async function load({ name }: Mutant, index: string): Promise<void> {
  try {
    await promisify(execFile)(process.execPath, [index]);
  } catch (error) {
    throw new Error(`mutant ${name} does not load`, { cause: error });
  }
}
