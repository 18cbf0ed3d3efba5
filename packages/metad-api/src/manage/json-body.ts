import { badRequest, type Checked, invalidJson, ok, refuse } from '../http/problem.ts';

export type JsonScalar = null | boolean | number | string;

export interface JsonObject {
  readonly [name: string]: JsonValue;
}

/** A parsed JSON document. */
export type JsonValue = JsonScalar | readonly JsonValue[] | JsonObject;

/** Bounds every recursion over a document. Paths are limited otherwise, and to much less. */
const MAX_DEPTH = 256;

/** Reads the one JSON document that a body consists of. Of duplicate keys the last one counts. */
export function parseJsonBody(text: string): Checked<JsonValue> {
  // Looked at beforehand: a body of brackets only would cost a hundred times its size in objects.
  if (text.length > MAX_DEPTH && isDeeperThan(text, MAX_DEPTH)) {
    return refuse(badRequest(`the body is nested deeper than ${MAX_DEPTH} levels`));
  }
  try {
    return ok(JSON.parse(text));
  } catch (error) {
    if (error instanceof SyntaxError) return refuse(invalidJson(error.message));
    throw error;
  }
}

export function isJsonArray(value: JsonValue): value is readonly JsonValue[] {
  return Array.isArray(value);
}

export function isJsonObject(value: JsonValue): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isDeeperThan(text: string, maxDepth: number): boolean {
  let depth = 0;
  for (let i = 0; i < text.length; i += 1) {
    const character = text.charCodeAt(i);
    if (character === QUOTE) i = endOfString(text, i + 1);
    else if (character === OPEN_BRACKET || character === OPEN_BRACE) {
      depth += 1;
      if (depth > maxDepth) return true;
    } else if (character === CLOSE_BRACKET || character === CLOSE_BRACE) depth -= 1;
  }
  return false;
}

function endOfString(text: string, start: number): number {
  let i = start;
  for (; i < text.length; i += 1) {
    const character = text.charCodeAt(i);
    if (character === QUOTE) break;
    if (character === BACKSLASH) i += 1;
  }
  return i;
}

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const OPEN_BRACKET = 0x5b;
const CLOSE_BRACKET = 0x5d;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;
