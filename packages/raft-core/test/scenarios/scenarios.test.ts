import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { formatScenario, parseScenario } from './scenario-parser.ts';
import { runScenario } from './scenario-runner.ts';

const folder = new URL('.', import.meta.url);
const files = readdirSync(folder).filter((name) => name.endsWith('.txt'));
const rewrite = process.env.METAD_REWRITE === '1';

describe('scenarios', () => {
  test.each(files)('%s', (name) => {
    const file = new URL(name, folder);
    const text = readFileSync(file, 'utf8');
    const traced = formatScenario(runScenario(parseScenario(text)));
    if (rewrite && traced !== text) writeFileSync(file, traced);
    else expect(traced).toBe(text);
  });
});
