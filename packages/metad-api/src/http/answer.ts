import type { Version } from '@metad/kv-store';
import { type Form, renderProblem } from '../render/render.ts';
import { CONTENT_TYPE } from './negotiate.ts';
import type { Problem } from './problem.ts';

/** What is sent, apart from the request id. Immutable, so that equal requests may share one. */
export interface Answer {
  readonly status: number;
  readonly contentType: string;
  readonly body: string;
  /** Bytes of the body in UTF-8. */
  readonly length: number;
  /** The version of what the body shows; null for answers that show nothing of the state. */
  readonly version: Version | null;
  readonly headers?: Readonly<Record<string, string>>;
}

export function answerOf(options: {
  readonly status?: number;
  readonly form: Form;
  readonly body: string;
  readonly version: Version | null;
  readonly headers?: Readonly<Record<string, string>>;
}): Answer {
  const { status = 200, form, body, version, headers } = options;
  const answer = {
    status,
    contentType: CONTENT_TYPE[form.format],
    body,
    length: Buffer.byteLength(body),
    version,
  };
  return headers === undefined ? answer : { ...answer, headers };
}

/** For a request that tripped over a bug or a fault; what it was is for the operator, not for the client. */
export function failureAnswer(form: Form): Answer {
  return problemAnswer({ status: 500, message: 'Internal error' }, form, null);
}

export function problemAnswer(problem: Problem, form: Form, version: Version | null): Answer {
  const answer = answerOf({ status: problem.status, form, body: renderProblem(problem, form), version });
  return problem.headers === undefined ? answer : { ...answer, headers: problem.headers };
}
