import { readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

// A program that only talks to a cluster must not need what a node needs: a database addon, a web framework, this package's
// server. So what `@metad/metad-api/client` loads when it is built is a closed folder over Node itself.

const DIST = fileURLToPath(new URL('../dist/', import.meta.url));

/** Every module that a built file loads, itself included: files relative to `dist`, others by name. */
function modulesFrom(file: string, seen = new Set<string>()): Set<string> {
  const name = relative(DIST, file);
  if (seen.has(name)) return seen;
  seen.add(name);
  for (const [, specifier = ''] of readFileSync(file, 'utf8').matchAll(
    /(?:\bfrom|\bimport)\s*\(?\s*['"]([^'"]+)['"]/g,
  )) {
    if (specifier.startsWith('.')) modulesFrom(join(dirname(file), specifier), seen);
    else seen.add(specifier);
  }
  return seen;
}

test('the built client loads nothing but its own folder and Node', () => {
  const modules = [...modulesFrom(join(DIST, 'client/index.js'))];
  expect(modules.filter((name) => name.startsWith('node:'))).toContain('node:http');
  expect(modules.filter((name) => !/^(?:node:|client\/)/.test(name))).toEqual([]);
  expect(modules.length).toBeGreaterThan(10);
});

test('the server is no such thing', () => {
  expect([...modulesFrom(join(DIST, 'index.js'))]).toContain('@metad/kv-store');
});
