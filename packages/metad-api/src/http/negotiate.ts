import { BoundedCache } from '../bounded-cache.ts';

export type Format = 'text' | 'json' | 'yaml';

export const CONTENT_TYPE: Readonly<Record<Format, string>> = {
  text: 'text/plain; charset=utf-8',
  json: 'application/json',
  yaml: 'application/yaml',
};

/** In the order in which ties are decided. */
const OFFERED: readonly (readonly [type: string, subtype: string, format: Format])[] = [
  ['text', 'plain', 'text'],
  ['application', 'json', 'json'],
  ['application', 'yaml', 'yaml'],
  ['application', 'x-yaml', 'yaml'],
  ['text', 'yaml', 'yaml'],
  ['text', 'x-yaml', 'yaml'],
];

interface Range {
  readonly type: string;
  readonly subtype: string;
  readonly quality: number;
}

const MAX_REMEMBERED = 512;
const MAX_ACCEPT_LENGTH = 1024;
const answers = new BoundedCache<Format>({ maxWeight: MAX_REMEMBERED });

/**
 * Chooses the format of an answer. The highest q wins; at the same q a named type beats `type/*`, which beats the
 * full wildcard; then the order of the offer decides. Never fails: without anything acceptable the answer is text.
 */
export function negotiate(accept: string | undefined): Format {
  if (accept === undefined || accept === '*/*') return 'text';
  if (accept === 'application/json') return 'json';
  const known = answers.get(accept);
  if (known !== undefined) return known;
  const format = choose(parseAccept(accept.slice(0, MAX_ACCEPT_LENGTH)));
  if (accept.length <= MAX_ACCEPT_LENGTH) answers.set(accept, format);
  return format;
}

/** Whether a stream of events is what the client wants most: a wildcard never means one. */
export function prefersEvents(accept: string | undefined): boolean {
  if (accept === undefined || !/event-stream/i.test(accept)) return false;
  const ranges = parseAccept(accept.slice(0, MAX_ACCEPT_LENGTH));
  const named = ranges.filter((range) => matchPrecision(range, 'text', 'event-stream') === 3);
  const wanted = Math.max(0, ...named.map(({ quality }) => quality));
  const others = ranges.filter((range) =>
    OFFERED.some(([type, subtype]) => matchPrecision(range, type, subtype) === 3),
  );
  return wanted > 0 && others.every(({ quality }) => quality < wanted);
}

function choose(ranges: readonly Range[]): Format {
  const refused = ranges.filter((range) => range.quality === 0);
  let best: { format: Format; quality: number; precision: number } | null = null;
  for (const [type, subtype, format] of OFFERED) {
    // A type that is named with q=0 is refused whatever a wildcard says.
    if (refused.some((range) => range.type === type && range.subtype === subtype)) continue;
    for (const range of ranges) {
      const precision = matchPrecision(range, type, subtype);
      if (precision === 0 || range.quality === 0) continue;
      const better =
        best === null ||
        range.quality > best.quality ||
        (range.quality === best.quality && precision > best.precision);
      if (better) best = { format, quality: range.quality, precision };
    }
  }
  return best?.format ?? 'text';
}

/** 3 for the type itself, 2 for `type/*`, 1 for the full wildcard, 0 for no match. */
function matchPrecision(range: Range, type: string, subtype: string): number {
  if (range.type === '*' && range.subtype === '*') return 1;
  if (range.type !== type) return 0;
  if (range.subtype === '*') return 2;
  return range.subtype === subtype ? 3 : 0;
}

/** Entries that are not well formed are left out. */
function parseAccept(accept: string): Range[] {
  const ranges: Range[] = [];
  for (const entry of accept.toLowerCase().split(',')) {
    const [name = '', ...parameters] = entry.split(';').map((part) => part.trim());
    const match = /^([^\s/]+)\/([^\s/]+)$/.exec(name);
    const quality = readQuality(parameters);
    if (match?.[1] === undefined || match[2] === undefined || quality === null) continue;
    ranges.push({ type: match[1], subtype: match[2], quality });
  }
  return ranges;
}

function readQuality(parameters: readonly string[]): number | null {
  const given = parameters.find((parameter) => /^q\s*=/.test(parameter));
  if (given === undefined) return 1;
  const digits = given.slice(given.indexOf('=') + 1).trim();
  return /^(?:0(?:\.\d*)?|1(?:\.0*)?)$/.test(digits) ? Number(digits) : null;
}
