import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { basename, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { settingsMarkdown } from '@metad/cluster-api';
import { describe, expect, test } from 'vitest';
import { spawnMetad } from './e2e/script-process.ts';

// What holds for the repository as a whole, and what no tool checks otherwise.

const ROOT = fileURLToPath(new URL('..', import.meta.url));
/** A package depends only on those left of it. */
const CHAIN = ['raft-core', 'kv-store', 'metad-api', 'cluster-api'];
const MAX_FILE_LINES = 500;

interface SourceFile {
  readonly path: string;
  readonly text: string;
  /** Without comments and the contents of strings. */
  readonly code: string;
}

function sourcesOf(name: string): SourceFile[] {
  const folder = join(ROOT, 'packages', name, 'src');
  const files = readdirSync(folder, { recursive: true, encoding: 'utf8' });
  return files
    .filter((file) => /\.(ts|tsx|mts|js|mjs)$/.test(file))
    .map((file) => {
      const text = readFileSync(join(folder, file), 'utf8');
      return { path: relative(ROOT, join(folder, file)), text, code: stripped(text) };
    });
}

/** Leaves code only, so that a word in a comment or a message is not taken for code. */
function stripped(text: string): string {
  const strings = /'(?:[^'\\\n]|\\.)*'|"(?:[^"\\\n]|\\.)*"/g;
  return text
    .replace(/\/\*[\s\S]*?\*\//g, '')
    .replace(/^(.*?)(?<![:'"`\\/])\/\/.*$/gm, '$1')
    .replace(strings, "''");
}

function importsOf({ text }: SourceFile): string[] {
  const statements = text.matchAll(
    /^\s*(?:import|export)\b[^'"]*?\bfrom\s+['"]([^'"]+)['"]|^\s*import\s+['"]([^'"]+)['"]/gm,
  );
  const dynamic = text.matchAll(/\bimport\(\s*['"]([^'"]+)['"]\s*\)/g);
  return [...statements, ...dynamic].map(([, first, second]) => first ?? second ?? '');
}

/** `path: what was found` for each hit, so that a failure names its place. */
function hits(files: readonly SourceFile[], pattern: RegExp, part: 'code' | 'text' = 'code'): string[] {
  return files.flatMap((file) =>
    [...file[part].matchAll(pattern)].map(([found]) => `${file.path}: ${found.trim().replace(/\s+/g, ' ')}`),
  );
}

const all = CHAIN.flatMap(sourcesOf);

/** A function that does nothing, whatever it is given. */
const NOTHING = String.raw`(?:async\s+)?(?:\([^)]*\)|\w+)\s*(?::[^=]*)?=>\s*(?:undefined|null|void 0|\{\s*(?:return;?)?\s*\})`;
/** Arguments whose brackets are at most three deep. */
const ARGUMENTS = String.raw`(?:[^()]|\((?:[^()]|\((?:[^()]|\([^()]*\))*\))*\))*`;
/** An error is dropped where nobody can see that it was meant. */
const SWALLOWING = [
  /\bcatch\s*(?:\([^)]*\)\s*)?\{\s*\}/g,
  new RegExp(String.raw`\.catch\(\s*(?:${NOTHING})\s*,?\s*\)`, 'g'),
  new RegExp(String.raw`\.then\(${ARGUMENTS},\s*(?:${NOTHING})\s*,?\s*\)`, 'g'),
];

function swallowing(files: readonly SourceFile[]): ReturnType<typeof hits> {
  return SWALLOWING.flatMap((pattern) => hits(files, pattern));
}

describe('raft-core', () => {
  const files = sourcesOf('raft-core');

  test('depends on nothing at run time', () => {
    const manifest = JSON.parse(readFileSync(join(ROOT, 'packages/raft-core/package.json'), 'utf8'));
    expect(manifest.dependencies ?? {}).toEqual({});
    const outside = files.flatMap((file) => importsOf(file).filter((name) => !/^\.\.?\//.test(name)));
    expect(outside).toEqual([]);
  });

  test('knows neither time nor chance nor waiting', () => {
    const impure =
      /\bDate\b|\bMath\.random\b|\bperformance\b|\bset(?:Timeout|Interval|Immediate)\b|\bqueueMicrotask\b/g;
    expect(hits(files, impure)).toEqual([]);
    expect(hits(files, /\basync\b|\bawait\b|\bPromise\b/g)).toEqual([]);
    expect(hits(files, /\b(?:process|Buffer|console|globalThis)\./g)).toEqual([]);
  });
});

describe('the packages', () => {
  test('are the chain and nothing else', () => {
    const folders = readdirSync(join(ROOT, 'packages'));
    expect(folders.sort()).toEqual([...CHAIN].sort());
  });

  test.for(CHAIN)('%s depends only on those left of it', (name) => {
    const manifest = JSON.parse(readFileSync(join(ROOT, 'packages', name, 'package.json'), 'utf8'));
    const declared = Object.keys(manifest.dependencies ?? {}).filter((other) => other.startsWith('@metad/'));
    const imported = sourcesOf(name)
      .flatMap(importsOf)
      .filter((other) => other.startsWith('@metad/'));
    const allowed = CHAIN.slice(0, CHAIN.indexOf(name)).map((other) => `@metad/${other}`);
    for (const other of [...declared, ...imported]) expect(allowed).toContain(other);
  });

  test.for(CHAIN)('%s imports no package that it does not declare', (name) => {
    const manifest = JSON.parse(readFileSync(join(ROOT, 'packages', name, 'package.json'), 'utf8'));
    const declared = Object.keys(manifest.dependencies ?? {});
    const isKnown = (other: string): boolean =>
      /^(\.|node:)/.test(other) || declared.some((known) => other === known || other.startsWith(`${known}/`));
    expect(
      sourcesOf(name)
        .flatMap(importsOf)
        .filter((other) => !isKnown(other)),
    ).toEqual([]);
  });

  test.for(CHAIN)('%s says why it is as it is in DESIGN.md', (name) => {
    expect(existsSync(join(ROOT, 'packages', name, 'DESIGN.md'))).toBe(true);
  });
});

describe('the sources', () => {
  test('are there', () => {
    expect(all.length).toBeGreaterThan(30);
  });

  test(`have no file over ${MAX_FILE_LINES} lines`, () => {
    const long = all
      .filter(({ text }) => text.split('\n').length > MAX_FILE_LINES + 1)
      .map(({ path }) => path);
    expect(long).toEqual([]);
  });

  test('have kebab-case names', () => {
    expect(
      all.map(({ path }) => basename(path)).filter((name) => !/^[a-z0-9]+(-[a-z0-9]+)*\.\w+$/.test(name)),
    ).toEqual([]);
  });

  test('have no any, no suppressed check and no unfinished place', () => {
    expect(hits(all, /(?::|\bas|<|\|)\s*any\b/g)).toEqual([]);
    expect(hits(all, /@ts-(?:ignore|nocheck|expect-error)|biome-ignore-all/g, 'text')).toEqual([]);
    expect(hits(all, /\b(?:TODO|FIXME|XXX|HACK)\b/g, 'text')).toEqual([]);
    expect(hits(all, /not implemented/gi, 'text')).toEqual([]);
  });

  test('swallow no error', () => {
    expect(swallowing(all)).toEqual([]);
  });

  test.for([
    'try { a(); } catch {}',
    'try { a(); } catch (error) { }',
    'a().catch(() => undefined);',
    'await a()?.catch((error: unknown) => {});',
    'a().catch(async (_): Promise<void> => { return; });',
    'a().then((b) => c(b, d(e)), () => undefined);',
    'a().then(undefined, (error) => {});',
    'a\n  .then(b)\n  .then(\n    c,\n    () => null,\n  );',
  ])('%s would swallow one', (code) => {
    expect(swallowing([{ path: 'x.ts', text: code, code: stripped(code) }])).toHaveLength(1);
  });

  test.for([
    'a().catch((error) => fail(error));',
    'a().catch(fail);',
    'a().then(() => undefined);',
    'a().then((b) => c(b, () => undefined));',
    'a().then(b, (error) => fail(error));',
    'leave(a, () => undefined);',
  ])('%s swallows none', (code) => {
    expect(swallowing([{ path: 'x.ts', text: code, code: stripped(code) }])).toEqual([]);
  });

  test('match no error by its message', () => {
    expect(hits(all, /\b(?:error|err|cause)\.message\.(?:includes|match|startsWith|endsWith)\b/g)).toEqual(
      [],
    );
  });

  test('hold no test', () => {
    expect(all.filter(({ path }) => /\.(test|spec)\./.test(path)).map(({ path }) => path)).toEqual([]);
  });
});

describe('the top level', () => {
  test('has only what is expected there', () => {
    const expected = [
      ...[
        '.ci',
        '.gitignore',
        'CHANGELOG.md',
        'LICENSE',
        'README.md',
        'biome.json',
        'examples',
        'package.json',
      ],
      ...['packages', 'pnpm-lock.yaml', 'pnpm-workspace.yaml', 'test', 'tsconfig.json'],
    ];
    const tracked = execFileSync('git', ['ls-files'], { cwd: ROOT, encoding: 'utf8' }).trim().split('\n');
    const entries = [...new Set(tracked.map((path) => path.split('/')[0] ?? ''))];
    expect(entries.filter((name) => !expected.includes(name))).toEqual([]);
    expect(entries).toEqual(
      expect.arrayContaining(['README.md', 'LICENSE', '.ci', 'examples', 'packages', 'test']),
    );
  });
});

describe('README.md', () => {
  test('knows exactly the flags of metad --help', async () => {
    const process = spawnMetad(['--help']);
    expect(await process.exited).toEqual({ code: 0, signal: null });
    const shown = [...process.log.matchAll(/^\s+(?:-\w, )?--(\w+)/gm)].map(([, name]) => name ?? '');
    const flags = shown.filter((name) => !['help', 'version'].includes(name));
    expect(flags.length).toBeGreaterThan(20);
    const readme = readFileSync(join(ROOT, 'README.md'), 'utf8');
    const missing = flags.filter((name) => !new RegExp(`\`(?:--)?${name}\\b`).test(readme));
    expect(missing, 'flags that README.md leaves out').toEqual([]);
    const table = [...readme.matchAll(/^\|\s*`--(\w+)/gm)].map(([, name]) => name ?? '');
    expect(
      table.filter((name) => !flags.includes(name)),
      'flags that metad does not have',
    ).toEqual([]);
  });

  test('shows the settings as they are', () => {
    const rows = (text: string) =>
      text
        .split('\n')
        .filter((line) => line.startsWith('| `--'))
        .map((line) => line.replace(/ +/g, ' '));
    const readme = rows(readFileSync(join(ROOT, 'README.md'), 'utf8'));
    expect(rows(settingsMarkdown()).filter((row) => !readme.includes(row))).toEqual([]);
  });

  test('names only files that exist', () => {
    const readme = readFileSync(join(ROOT, 'README.md'), 'utf8');
    const links = [...readme.matchAll(/\]\((?!https?:|#)([^)#\s]+)[^)]*\)/g)].map(([, path]) => path ?? '');
    expect(links.filter((path) => !existsSync(join(ROOT, path)))).toEqual([]);
  });
});
