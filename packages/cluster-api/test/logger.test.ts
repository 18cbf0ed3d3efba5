import { nodeId } from '@metad/raft-core';
import { expect, test } from 'vitest';
import type { LogLevel } from '../src/config/node-config.ts';
import { createLogger } from '../src/logger.ts';

function captureLines(options: { readonly pretty: boolean; readonly logLevel?: LogLevel }) {
  const lines: string[] = [];
  const stream = { write: (line: string) => void lines.push(line) };
  const logger = createLogger(
    { id: nodeId(7), logLevel: options.logLevel ?? 'info' },
    { pretty: options.pretty, stream },
  );
  return { logger, lines };
}

test('a line is one JSON object with level, time and node', () => {
  const { logger, lines } = captureLines({ pretty: false });
  logger.info({ term: 3 }, 'elected');
  expect(lines).toHaveLength(1);
  expect(JSON.parse(lines[0] ?? '')).toEqual({
    level: 'info',
    time: expect.stringMatching(/^\d{4}-\d\d-\d\dT.*Z$/),
    node: 7,
    term: 3,
    msg: 'elected',
  });
});

test('in a terminal a line is for people, and written before the call returns', () => {
  const { logger, lines } = captureLines({ pretty: true });
  logger.warn('behind');
  expect(lines.join('')).toMatch(/WARN.*behind/);
  expect(() => JSON.parse(lines.join(''))).toThrow();
});

test('the level is that of the configuration', () => {
  const { logger, lines } = captureLines({ pretty: false, logLevel: 'warn' });
  logger.info('quiet');
  logger.error('loud');
  expect(lines).toHaveLength(1);
});

test.each([true, false])('tokens are replaced wherever they are known to stand (pretty: %s)', (pretty) => {
  const { logger, lines } = captureLines({ pretty });
  logger.info({ clusterToken: 'SECRET', config: { manageToken: 'SECRET' } }, 'starting');
  logger.info({ req: { headers: { authorization: 'Bearer SECRET' } } }, 'request');
  logger.info({ authorization: 'Bearer SECRET', token: 'SECRET' }, 'peer');
  expect(lines.join('')).not.toContain('SECRET');
  expect(lines.join('')).toContain('[redacted]');
});

test('an error is logged with its stack', () => {
  const { logger, lines } = captureLines({ pretty: false });
  logger.error({ err: new RangeError('odd') }, 'failed');
  expect(JSON.parse(lines[0] ?? '')).toMatchObject({
    err: { type: 'RangeError', message: 'odd', stack: expect.any(String) },
  });
});
