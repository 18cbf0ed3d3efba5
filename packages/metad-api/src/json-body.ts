import { badRequest, type Checked, ok, type Problem, refuse } from './problem.ts';

export type JsonScalar = null | boolean | number | string;

export interface JsonObject {
  readonly [name: string]: JsonValue;
}

/** A parsed JSON document. */
export type JsonValue = JsonScalar | readonly JsonValue[] | JsonObject;

/** Reads the one JSON document that a body consists of. Of duplicate keys the last one counts. */
export function parseJsonBody(text: string): Checked<JsonValue> {
  try {
    return ok(JSON.parse(text));
  } catch (error) {
    if (error instanceof SyntaxError) return refuse(invalidJson(error.message));
    throw error;
  }
}

export function invalidJson(reason: string): Problem {
  return badRequest(`invalid json: ${reason}`);
}

export function isJsonArray(value: JsonValue): value is readonly JsonValue[] {
  return Array.isArray(value);
}

export function isJsonObject(value: JsonValue): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
