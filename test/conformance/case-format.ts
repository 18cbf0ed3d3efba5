import { readdirSync, readFileSync } from 'node:fs';

export type Api = 'metadata' | 'manage';

export interface Send {
  readonly api: Api;
  readonly method: string;
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly clientIp?: string;
  readonly body?: unknown;
  readonly rawBody?: string;
  readonly follow?: boolean;
}

export type TextPattern = string | { readonly matches: string };

export interface Expectation {
  readonly status?: number | readonly number[];
  readonly headers?: Readonly<Record<string, TextPattern | { readonly absent: true }>>;
  readonly headerNames?: readonly string[];
  readonly json?: unknown;
  readonly yaml?: unknown;
  readonly text?: TextPattern;
  readonly version?: Readonly<Partial<Record<'equals' | 'greaterThan' | 'atLeast', string>>>;
  readonly requestId?: { readonly differsFrom: string };
}

/** What is looked at in an answer, at once or later. */
export interface Inspection {
  readonly expect?: Expectation;
  readonly capture?: { readonly version?: string; readonly requestId?: string };
  readonly withinMs?: number;
}

export type Step =
  | { readonly start: string; readonly send: Send }
  | ({ readonly send: Send } & Inspection)
  | { readonly pending: string; readonly forMs: number }
  | ({ readonly await: string } & Inspection)
  | { readonly abort: string };

export interface Case {
  readonly name: string;
  readonly why: string;
  readonly steps: readonly Step[];
}

const FOLDER = new URL('cases/', import.meta.url);

const KNOWN = {
  case: ['name', 'why', 'steps', 'deviation', 'needs'],
  step: ['start', 'send', 'pending', 'forMs', 'await', 'abort', 'expect', 'capture', 'withinMs', 'deviation'],
  expect: [
    ...['status', 'peerStatus', 'headers', 'headerNames', 'json', 'yaml', 'text', 'version', 'requestId'],
  ],
};

/** Every case of every file. Throws on a word that the runner does not know: it would be ignored in silence. */
export function loadCases(): Case[] {
  const files = readdirSync(FOLDER).filter((name) => name.endsWith('.json'));
  const cases = files.sort().flatMap((name) => {
    const content: Case | Case[] = JSON.parse(readFileSync(new URL(name, FOLDER), 'utf8'));
    return content;
  });
  for (const each of cases) checkWords(each);
  const names = new Set(cases.map(({ name }) => name));
  if (names.size < cases.length) throw new Error('two cases have one name');
  return cases;
}

function checkWords(each: Case): void {
  const unknownIn = (document: object, known: readonly string[]): string[] =>
    Object.keys(document).filter((word) => !known.includes(word));
  const unknown = [
    ...unknownIn(each, KNOWN.case),
    ...each.steps.flatMap((step) => unknownIn(step, KNOWN.step)),
    ...each.steps.flatMap((step) => ('expect' in step ? unknownIn(step.expect ?? {}, KNOWN.expect) : [])),
  ];
  if (unknown.length > 0) throw new Error(`${each.name}: unknown words ${unknown.join(', ')}`);
}

/** Replaces every `$many` by the members that it stands for. */
export function expandMany(document: unknown): unknown {
  if (Array.isArray(document)) return document.map(expandMany);
  if (!isRecord(document)) return document;
  if (isRecord(document.$many)) {
    const { count, key, value } = document.$many as { count: number; key: string; value: string };
    const member = (number: number): [string, string] => [
      key.replace('#', `${number}`),
      value.replace('#', `${number}`),
    ];
    return Object.fromEntries(Array.from({ length: count }, (_, number) => member(number)));
  }
  return Object.fromEntries(Object.entries(document).map(([key, value]) => [key, expandMany(value)]));
}

export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
