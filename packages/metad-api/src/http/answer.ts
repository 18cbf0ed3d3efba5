import type { Version } from '@metad/kv-store';
import { type Form, renderProblem } from '../render/render.ts';
import { type Body, bytesIn } from './body.ts';
import { VERSION_HEADER } from './header-names.ts';
import { CONTENT_TYPE } from './negotiate.ts';
import type { Problem } from './problem.ts';

const NOT_MODIFIED = 304;

const NO_HEADERS: Readonly<Record<string, string>> = {};

/** What is sent, apart from the request id. Immutable, so that equal requests may share one. */
export interface Answer {
  readonly status: number;
  readonly contentType: string;
  readonly body: Body;
  /** Bytes of the body in UTF-8. */
  readonly length: number;
  /** The version of what the body shows; null for answers that show nothing of the state. */
  readonly version: Version | null;
  readonly headers: Readonly<Record<string, string>>;
  /** What goes out with it each time, worked out in advance: for answers that are sent often. */
  readonly wire?: WireForm;
}

export interface WireForm {
  /** Names and values by turns, all but the request id. */
  readonly fields: readonly string[];
  readonly body: Body | Buffer;
}

/** From here on a body is kept as bytes. A shorter text goes out with its head as one string, which is quicker still. */
const MIN_SHARED_BYTES = 16 * 1024;

export function answerOf(options: {
  readonly status?: number;
  readonly form: Form;
  readonly body: Body;
  readonly version: Version | null;
  readonly headers?: Readonly<Record<string, string>>;
}): Answer {
  const { status = 200, form, body, version, headers = NO_HEADERS } = options;
  return {
    status,
    contentType: CONTENT_TYPE[form.format],
    body,
    length: bytesIn(body),
    version,
    headers,
  };
}

/** The same answer, ready to be sent again and again. */
export function prepared(answer: Answer): Answer {
  const { status, contentType, body, length, version, headers } = answer;
  return { status, contentType, body, length, version, headers, wire: wireFormOf(answer) };
}

export function wireFormOf(answer: Answer): WireForm {
  if (answer.wire !== undefined) return answer.wire;
  const fields = answer.status === NOT_MODIFIED ? [] : bodyFields(answer);
  for (const [name, value] of Object.entries(answer.headers)) fields.push(name, value);
  if (answer.version !== null) fields.push(VERSION_HEADER, String(answer.version));
  return { fields, body: shareable(answer) };
}

function shareable({ body, length }: Answer): WireForm['body'] {
  return typeof body !== 'string' || length < MIN_SHARED_BYTES ? body : Buffer.from(body);
}

/** What describes the body. Not where there is none: it would be taken for that of the answer that the client has kept. */
function bodyFields({ contentType, length }: Answer): string[] {
  return ['Content-Type', contentType, 'Content-Length', String(length)];
}

/** For a request that tripped over a bug or a fault; what it was is for the operator, not for the client. */
export function failureAnswer(form: Form): Answer {
  return problemAnswer({ status: 500, message: 'Internal error' }, form, null);
}

/** The client has this answer already: it gets the tag and the version only. */
export function notModifiedAnswer(options: {
  readonly etag: string;
  readonly version: Version;
  readonly headers?: Readonly<Record<string, string>>;
}): Answer {
  const { etag, version, headers } = options;
  return {
    status: NOT_MODIFIED,
    contentType: '',
    body: '',
    length: 0,
    version,
    headers: { ...headers, ETag: etag },
  };
}

export function problemAnswer(problem: Problem, form: Form, version: Version | null): Answer {
  const { status, headers = NO_HEADERS } = problem;
  return answerOf({ status, form, body: renderProblem(problem, form), version, headers });
}
