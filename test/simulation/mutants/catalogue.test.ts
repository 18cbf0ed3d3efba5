import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { Mutant } from './mutant.ts';
import { MUTANTS } from './mutants.ts';
import { builtCore, mutatedCore } from './mutated-core.ts';

const [first] = MUTANTS;
if (first === undefined) throw new Error('there are mutants');

describe('the catalogue', () => {
  test('holds at least 24 bugs, each under a name of its own', () => {
    expect(MUTANTS.length).toBeGreaterThanOrEqual(24);
    expect(new Set(MUTANTS.map(({ name }) => name)).size).toBe(MUTANTS.length);
  });

  test.each(MUTANTS.map((mutant) => [mutant.name, mutant] as const))('%s says what it is', (_, mutant) => {
    expect(mutant.name).toMatch(/^[a-z]+(-[a-z]+)+$/);
    for (const text of [mutant.story, mutant.breaks, mutant.seen, mutant.noticedBy]) {
      expect(text.length).toBeGreaterThan(10);
    }
    for (const { from, to } of mutant.edits) expect(to).not.toBe(from);
  });

  // Each of them is applied, loaded and caught by mutants.test.ts.
  test('patches a copy, and leaves the core as it is', async () => {
    const before = await readFile(join(builtCore(), 'dist', first.file), 'utf8');
    const core = await mutatedCore(first);
    expect(await readFile(join(core.directory, 'dist', first.file), 'utf8')).not.toBe(before);
    expect(await readFile(join(builtCore(), 'dist', first.file), 'utf8')).toBe(before);
    await core.dispose();
    expect(existsSync(core.directory)).toBe(false);
  });
});

describe('a patch that does not fit', () => {
  const broken = (edits: Mutant['edits']): Mutant => ({ ...first, edits });

  test('its text is gone', async () => {
    await expect(mutatedCore(broken([{ from: 'no such text', to: '' }]))).rejects.toThrow('found 0 times');
  });

  test('its text is there twice', async () => {
    await expect(mutatedCore(broken([{ from: 'state', to: 'estate' }]))).rejects.toThrow('expected once');
  });

  test('what comes out is no program', async () => {
    const edits = first.edits.map(({ from }) => ({ from, to: '}' }));
    await expect(mutatedCore(broken(edits))).rejects.toThrow(`mutant ${first.name} does not load`);
  });
});
