import { readdirSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';

const src = new URL('../src/', import.meta.url);
const BANNED =
  /\b(Date|performance|Math\.random|async|await|Promise|setTimeout|setInterval|process|globalThis)\b/g;

/** Source without comments and strings, where words are only words. */
function code(file: string): string {
  return readFileSync(new URL(file, src), 'utf8')
    .replace(/\/\*[\s\S]*?\*\//g, '')
    .replace(/\/\/.*$/gm, '')
    .replace(/'[^'\n]*'/g, "''");
}

const files = readdirSync(src).filter((file) => file.endsWith('.ts'));

test.each(files)('%s takes time, randomness and waiting from nowhere', (file) => {
  expect(code(file).match(BANNED) ?? []).toEqual([]);
});

test.each(files)('%s imports nothing but this package', (file) => {
  const imported = [...readFileSync(new URL(file, src), 'utf8').matchAll(/from '([^']+)'/g)].map(
    (match) => match[1],
  );
  expect(imported.filter((name) => !name?.startsWith('./'))).toEqual([]);
});

test.each(files)('%s is short enough to be read at once', (file) => {
  expect(readFileSync(new URL(file, src), 'utf8').split('\n').length).toBeLessThanOrEqual(350);
});
