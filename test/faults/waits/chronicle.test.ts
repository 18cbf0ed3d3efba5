import { describe, expect, test } from 'vitest';
import type { ScriptProcess } from '../../e2e/script-process.ts';
import { Chronicle } from './chronicle.ts';
import type { Observation, RecordedWrite, RefusedWrite } from './evidence.ts';
import { MISSING } from './model-view.ts';
import type { Operation } from './operation.ts';

// The judge of the wait loop is told stories in which something is wrong: it says what.

const HOST = '10.0.0.1';
const PROCESS = { pid: 1 } as ScriptProcess;
const RULES: Operation = {
  type: 'setRules',
  rules: {
    [HOST]: [
      { path: '/', mode: 1 },
      { path: '/a/secret', mode: 0 },
    ],
  },
};

function put(name: string, value: string): Operation {
  return { type: 'merge', tree: 'data', path: '/a', leaves: { [name]: value } };
}

/** A write that was answered with a version; null: its outcome is unknown. */
function written(operation: Operation, version: number | null, after = 0): RecordedWrite {
  return { writer: 1, operation, after, version };
}

function sight(version: number, seen: string, wokenFrom: number | null = null): Observation {
  return { type: 'sight', client: 0, node: 1, process: PROCESS, version, seen, wokenFrom };
}

/** What is wrong with a story that ends at a version. */
function judge(
  until: number,
  writes: readonly RecordedWrite[],
  observations: readonly Observation[],
  refused: readonly RefusedWrite[] = [],
): readonly string[] {
  const viewers = [{ host: HOST, path: '/a' }];
  return new Chronicle({ viewers, trackedSince: () => 0 }).goOn(until, { writes, refused, observations });
}

const BEGUN = [written(RULES, 1), written(put('x', '1'), 2)];

describe('what is right', () => {
  test('is not complained about', () => {
    const writes = [...BEGUN, written(put('secret', 's'), 3), written(put('x', '2'), 4)];
    const seen = [
      sight(1, MISSING),
      sight(2, '{"x":"1"}', 1),
      sight(3, '{"x":"1"}'),
      sight(4, '{"x":"2"}', 3),
    ];
    expect(judge(4, writes, seen)).toEqual([]);
  });

  test('an unknown write may have been applied, wherever that fits what was seen', () => {
    const writes = [
      ...BEGUN,
      written(put('x', '2'), null),
      written(put('y', '1'), null),
      written(put('x', '4'), 5),
    ];
    expect(judge(5, writes, [sight(3, '{"x":"1","y":"1"}'), sight(4, '{"x":"2","y":"1"}')])).toEqual([]);
    expect(judge(5, writes, [sight(3, '{"x":"2"}'), sight(4, '{"x":"2","y":"1"}')])).toEqual([]);
  });

  test('a write that changes nothing has the version that was there', () => {
    expect(judge(2, [...BEGUN, written({ type: 'deleteKey', path: '/none' }, 2)], [])).toEqual([]);
  });
});

describe('what is wrong', () => {
  test.for<[what: string, observations: readonly Observation[], message: RegExp]>([
    ['a value that is forbidden', [sight(3, '{"secret":"s","x":"1"}')], /"secret":"s".*but it is {"x":"1"}/],
    ['a state of before', [sight(2, MISSING)], /version 2: missing, but it is {"x":"1"}/],
    [
      'a waiter that is woken by what it may not see',
      [sight(3, '{"x":"1"}', 2)],
      /woken from version 2 for nothing/,
    ],
    ['a version of nobody', [sight(4, '{"x":"1"}')], /nobody made version 4/],
  ])('%s', ([, observations, message]) => {
    const problems = judge(3, [...BEGUN, written(put('secret', 's'), 3)], observations);
    expect(problems.join('\n')).toMatch(message);
  });

  test('an acknowledged write that is missing', () => {
    const writes = [...BEGUN, written(put('x', '2'), 3)];
    expect(judge(3, writes, [sight(3, '{"x":"1"}')]).join('\n')).toMatch(/but it is {"x":"2"}/);
    expect(judge(2, writes, []).join('\n')).toMatch(/version 3 is not between 0 and 2/);
  });

  test('a version that two writes were given', () => {
    const writes = [...BEGUN, written(put('x', '2'), 3), written(put('y', '2'), 3)];
    expect(judge(3, writes, []).join('\n')).toMatch(/the same version was given to/);
  });

  test('a version that was known before the write was sent', () => {
    expect(judge(3, [...BEGUN, written(put('x', '2'), 3, 3)], []).join('\n')).toMatch(
      /known before it was sent/,
    );
  });

  test('a write that was refused and applied, or applied twice', () => {
    const refused = { ...written(put('y', '1'), null), reason: 'node 1: 503' };
    expect(judge(3, BEGUN, [], [refused]).join('\n')).toMatch(/it was refused \(node 1: 503\), and applied/);
    const again = [...BEGUN, written({ type: 'delete', tree: 'data', path: '/a/x' }, 3)];
    expect(judge(4, again, []).join('\n')).toMatch(/it was applied twice/);
  });
});
