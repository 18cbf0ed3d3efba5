import { type BodySource, type Checked, parseJsonBody, readBody } from '@metad/metad-api';
import type { Context } from 'hono';
import type { z } from 'zod';
import { bodyOf } from './request-body.ts';

/** A request that is at fault; nothing has happened. */
export interface Refusal {
  readonly type: 'refused';
  readonly status: 400 | 413;
  readonly reason: string;
}

export type JsonRequest<T> = { readonly type: 'ok'; readonly value: T } | Refusal;

export function refuse(reason: string, status: Refusal['status'] = 400): Refusal {
  return { type: 'refused', status, reason };
}

/** Reads a body as text. Nobody is told of one that broke off. */
export async function readText(source: BodySource, maxBodyBytes: number): Promise<JsonRequest<string>> {
  return textRequest(await readBody(source, maxBodyBytes));
}

export function textRequest(body: Checked<string>): JsonRequest<string> {
  return body.type === 'ok' ? body : refuse(body.problem.message, body.problem.status === 413 ? 413 : 400);
}

/** Reads the one JSON document of a body and checks its shape. */
export async function readJsonRequest<T>(
  c: Context,
  schema: z.ZodType<T>,
  options: { readonly maxBodyBytes: number; readonly emptyMeansNull?: boolean },
): Promise<JsonRequest<T>> {
  const body = await readText(bodyOf(c), options.maxBodyBytes);
  if (body.type === 'refused') return body;
  const text = options.emptyMeansNull === true && body.value.trim() === '' ? 'null' : body.value;
  const json = parseJsonBody(text);
  if (json.type === 'problem') return refuse(json.problem.message);
  return checkJson(json.value, schema);
}

/** Checks the shape of a document. */
export function checkJson<T>(value: unknown, schema: z.ZodType<T>): JsonRequest<T> {
  const parsed = schema.safeParse(value);
  if (parsed.success) return { type: 'ok', value: parsed.data };
  return refuse(parsed.error.issues[0]?.message ?? 'the request has another form');
}
