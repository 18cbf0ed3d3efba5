import { type Version, version } from '@metad/kv-store';
import type { Format } from './negotiate.ts';

/**
 * The tag of an answer: the version of what it shows and the form that it has. Strong: the same tag at the same URL, for
 * the same client, means the same bytes.
 */
export function etagOf(version: Version, format: Format): string {
  return `"${version}.${format}"`;
}

/** A tag of ours that a client sent. */
export interface Etag {
  readonly version: Version;
  /** Null when the client named the version only: whichever format it was. */
  readonly format: Format | null;
}

/** What `If-Match` or `If-None-Match` names. */
export type EtagList =
  /** `*`: whatever is there. */
  | { readonly type: 'any' }
  /** Well-formed tags that no node of ours gave match nothing, and are left out. */
  | { readonly type: 'tags'; readonly tags: readonly Etag[] }
  | { readonly type: 'malformed' };

/** Room for some hundred tags; nobody has as many answers of one URL. */
const MAX_HEADER_LENGTH = 8192;
/** RFC 9110, 8.8.3: anything visible but a quote, and the bytes beyond ASCII. */
const TAG = /^(?:W\/)?"([\x21\x23-\x7e\x80-\xff]*)"$/;
const OURS = /^(\d{1,16})(?:\.(text|json|yaml))?$/;
const FORMATS: Readonly<Record<string, Format>> = { text: 'text', json: 'json', yaml: 'yaml' };

/** Reads a list of tags, weak or strong: which of the two is a cache's business, the version says all. */
export function readEtags(header: string): EtagList {
  const list = header.trim();
  if (list === '*') return { type: 'any' };
  if (list.length > MAX_HEADER_LENGTH) return { type: 'malformed' };
  // A comma may stand within a tag of others.
  const elements = list.match(/(?:"[^"]*"|[^",])+/g)?.map((element) => element.trim()) ?? [];
  const tags: Etag[] = [];
  let found = 0;
  for (const element of elements) {
    if (element === '') continue;
    const opaque = TAG.exec(element)?.[1];
    if (opaque === undefined) return { type: 'malformed' };
    found += 1;
    const ours = readOwn(opaque);
    if (ours !== null) tags.push(ours);
  }
  const hasStrayQuote = (list.match(/"/g)?.length ?? 0) % 2 === 1;
  return found === 0 || hasStrayQuote ? { type: 'malformed' } : { type: 'tags', tags };
}

function readOwn(opaque: string): Etag | null {
  const [, digits, format] = OURS.exec(opaque) ?? [];
  const number = Number(digits);
  if (digits === undefined || !Number.isSafeInteger(number)) return null;
  return { version: version(number), format: format === undefined ? null : (FORMATS[format] ?? null) };
}
