import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** What stands between a process and its system, to make that fail. */
export type Preload = 'failing-disk' | 'jumping-clock';

/** The library to be named by LD_PRELOAD, or why there is none: then the test must be skipped. */
export type Compiled = { readonly library: string } | { readonly missing: string };

/** Compiles a library of the folder `preload`. It is removed when this process exits. */
export function compilePreload(name: Preload): Compiled {
  if (process.platform !== 'linux') return { missing: `LD_PRELOAD is for Linux, not ${process.platform}` };
  const source = fileURLToPath(new URL(`preload/${name}.c`, import.meta.url));
  const folder = mkdtempSync(join(tmpdir(), 'metad-preload-'));
  process.once('exit', () => rmSync(folder, { recursive: true }));
  const library = join(folder, `${name}.so`);
  try {
    execFileSync('cc', ['-shared', '-fPIC', '-O2', '-Wall', '-o', library, source, '-ldl'], {
      stdio: 'pipe',
    });
    return { library };
  } catch (error) {
    const isAbsent = error instanceof Error && 'code' in error && error.code === 'ENOENT';
    if (isAbsent) return { missing: 'there is no C compiler (cc)' };
    throw error;
  }
}
