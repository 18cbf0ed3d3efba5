import { defineConfig } from 'vitest/config';

export default defineConfig({
  root: new URL('..', import.meta.url).pathname,
  // Tests read the packages' sources, not their last build.
  resolve: { conditions: ['@metad/source'] },
  ssr: { resolve: { conditions: ['@metad/source'] } },
  test: {
    include: ['packages/*/test/**/*.test.ts', 'test/**/*.test.ts'],
    // Limits are generous on purpose: a test waits for a condition, never for a time.
    testTimeout: 60_000,
    hookTimeout: 120_000,
    pool: 'forks',
    maxWorkers: 2,
    reporters: ['default', './test/summary-reporter.ts'],
  },
});
