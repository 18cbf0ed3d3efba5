import { parse as parseYaml } from 'yaml';
import type { Reply } from '../e2e/http.ts';
import { type Expectation, expandMany, isRecord, type TextPattern } from './case-format.ts';

/** Header values that a case has kept, by the names that it gave them. */
export type Captured = Map<string, string>;

/** In words what about an answer is not as expected; null when all of it is. */
export function findMismatch(reply: Reply, expected: Expectation, captured: Captured): string | null {
  return (
    findWrongStatus(reply, expected) ??
    findWrongHeader(reply, expected) ??
    findWrongDocument(reply, expected) ??
    findWrongText(reply, expected) ??
    findWrongVersion(reply, expected, captured) ??
    findWrongRequestId(reply, expected, captured)
  );
}

function findWrongStatus({ status, text }: Reply, expected: Expectation): string | null {
  if (expected.status === undefined || [expected.status].flat().includes(status)) return null;
  return `status ${status} instead of ${expected.status}, body ${show(text)}`;
}

function findWrongHeader({ headers, headerNames }: Reply, expected: Expectation): string | null {
  for (const [name, wanted] of Object.entries(expected.headers ?? {})) {
    const value = headers[name.toLowerCase()];
    const text = Array.isArray(value) ? value.join(', ') : value;
    const matches =
      typeof wanted === 'object' && 'absent' in wanted
        ? text === undefined
        : text !== undefined && matchesText(text, wanted);
    if (!matches) return `header ${name} is ${show(text)} instead of ${show(wanted)}`;
  }
  const missing = expected.headerNames?.find((name) => !headerNames.includes(name));
  return missing === undefined ? null : `no header is spelled ${missing}: ${headerNames.join(', ')}`;
}

function findWrongDocument({ text }: Reply, expected: Expectation): string | null {
  const formats = [
    ['json', (body: string): unknown => JSON.parse(body)],
    ['yaml', (body: string): unknown => parseYaml(body)],
  ] as const;
  for (const [format, parse] of formats) {
    if (expected[format] === undefined) continue;
    const document = tryParse(parse, text);
    if (document instanceof Error) return `not ${format}: ${document.message}; body ${show(text)}`;
    const difference = findDifference(document, expandMany(expected[format]), '');
    if (difference !== null) return `${format} differs at ${difference}; body ${show(text)}`;
  }
  return null;
}

function tryParse(parse: (body: string) => unknown, text: string): unknown {
  try {
    return parse(text);
  } catch (error) {
    return error instanceof Error ? error : new Error(String(error));
  }
}

/** Where two documents first differ, as "/path: …"; null when they are the same. */
function findDifference(actual: unknown, expected: unknown, path: string): string | null {
  const differs = `${path || '/'}: ${show(actual)} instead of ${show(expected)}`;
  if (isRecord(expected) && typeof expected.$matches === 'string') {
    return typeof actual === 'string' && new RegExp(expected.$matches, 'u').test(actual) ? null : differs;
  }
  const comparable = Array.isArray(expected) ? Array.isArray(actual) : isRecord(expected) && isRecord(actual);
  if (!comparable) return Object.is(actual, expected) ? null : differs;
  const [left, right] = [new Map(Object.entries(Object(actual))), new Map(Object.entries(Object(expected)))];
  for (const key of new Set([...left.keys(), ...right.keys()])) {
    if (!left.has(key)) return `${path}/${key}: missing`;
    if (!right.has(key)) return `${path}/${key}: not expected`;
    const difference = findDifference(left.get(key), right.get(key), `${path}/${key}`);
    if (difference !== null) return difference;
  }
  return null;
}

function findWrongText({ text }: Reply, expected: Expectation): string | null {
  if (expected.text === undefined || matchesText(text, expected.text)) return null;
  return `text ${show(text)} instead of ${show(expected.text)}`;
}

function findWrongVersion(reply: Reply, expected: Expectation, captured: Captured): string | null {
  const version = Number(reply.headers['x-metad-version'] ?? Number.NaN);
  const holds = {
    equals: (other: number) => version === other,
    greaterThan: (other: number) => version > other,
    atLeast: (other: number) => version >= other,
  };
  for (const relation of Object.keys(holds) as (keyof typeof holds)[]) {
    const name = expected.version?.[relation];
    if (name === undefined || holds[relation](Number(captured.get(name) ?? Number.NaN))) continue;
    return `version ${version} is not ${relation} ${name} (${captured.get(name)})`;
  }
  return null;
}

function findWrongRequestId(reply: Reply, expected: Expectation, captured: Captured): string | null {
  if (expected.requestId === undefined) return null;
  const id = reply.headers['x-metad-requestid'];
  const other = captured.get(expected.requestId.differsFrom);
  return id !== undefined && id !== other ? null : `request id ${show(id)} should differ from ${show(other)}`;
}

function matchesText(text: string, wanted: TextPattern): boolean {
  return typeof wanted === 'string' ? text === wanted : new RegExp(wanted.matches, 'u').test(text);
}

function show(value: unknown): string {
  const text = JSON.stringify(value) ?? 'nothing';
  return text.length > 300 ? `${text.slice(0, 300)}…` : text;
}
