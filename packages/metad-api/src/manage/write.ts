import { type ContentCommand, type Precondition, type Version, writeOf } from '@metad/kv-store';
import { assert, unreachable } from '@metad/raft-core';
import { type Answer, answerOf, problemAnswer } from '../http/answer.ts';
import { type Checked, outOfRoom, type Problem, tooLarge, unavailable } from '../http/problem.ts';
import { readBody } from '../http/read-body.ts';
import { renderConfirmation } from '../render/render.ts';
import type { ProposeOutcome, RefusalReason } from '../replica.ts';
import { type JsonValue, parseJsonBody } from './json-body.ts';
import type { ManageParts, ManageRequest } from './manage-request.ts';
import { describeFailure } from './write-conditions.ts';
import { readWriteHeaders } from './write-headers.ts';

export async function readJson(request: ManageRequest, parts: ManageParts): Promise<Checked<JsonValue>> {
  const body = await readBody(request.http.body, parts.settings.maxBodyBytes);
  return body.type === 'ok' ? parseJsonBody(body.value) : body;
}

/** What a request wants done. */
export interface Plan {
  readonly operations: readonly ContentCommand[];
  readonly preconditions: readonly Precondition[];
  /** Where the request has its preconditions, so that the one that fails can be named; absent: in its headers. */
  readonly listedAs?: string;
}

/** Replicates one write and says what became of it. The version of the answer includes it. */
export async function write(plan: Plan, request: ManageRequest, parts: ManageParts): Promise<Answer> {
  const { form } = request;
  const { feed, replica } = parts;
  const headers = readWriteHeaders(request.http);
  if (headers.type === 'problem') return problemAnswer(headers.problem, form, feed.version);
  const { operations, preconditions } = plan;
  const { author, idempotencyKey } = headers.value;
  const outcome = await replica.propose(writeOf(operations, { author, idempotencyKey, preconditions }));
  if (outcome.type === 'applied') {
    feed.noteVersion(outcome.version);
    const headers = outcome.repeated ? REPLAYED : {};
    return answerOf({ form, body: renderConfirmation(form), version: outcome.version, headers });
  }
  return problemAnswer(problemOf(outcome, plan), form, outcomeVersion(outcome) ?? feed.version);
}

const REPLAYED = { 'Idempotency-Replayed': 'true' };

type Failure = Exclude<ProposeOutcome, { type: 'applied' }>;

function problemOf(outcome: Failure, plan: Plan): Problem {
  switch (outcome.type) {
    case 'preconditionFailed':
      return { status: 412, message: describeFailed(plan, outcome) };
    case 'keyReused':
      return { status: 422, message: 'this Idempotency-Key belongs to a request with another content' };
    case 'refused':
      return refusalProblem(outcome.reason, outcome.message);
    case 'unknown':
      return { status: 504, message: `it is unknown whether the write was applied: ${outcome.message}` };
    default:
      return unreachable(outcome);
  }
}

function describeFailed(
  { preconditions, listedAs }: Plan,
  { precondition: index, version }: Extract<Failure, { type: 'preconditionFailed' }>,
): string {
  const condition = preconditions[index];
  assert(condition !== undefined, 'a precondition that failed was asked for');
  const place = listedAs === undefined ? '' : `${listedAs}[${index}]: `;
  return `${place}${describeFailure(condition, version)}`;
}

function outcomeVersion(outcome: Failure): Version | null {
  return 'version' in outcome ? outcome.version : null;
}

function refusalProblem(reason: RefusalReason, message: string): Problem {
  switch (reason) {
    case 'tooLarge':
      return tooLarge(message);
    case 'stateFull':
      return outOfRoom(message);
    case 'noLeader':
    case 'overloaded':
    case 'stopping':
      return unavailable(message);
    default:
      return unreachable(reason);
  }
}
