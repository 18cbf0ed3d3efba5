import { type ContentCommand, writeOf } from '@metad/kv-store';
import { unreachable } from '@metad/raft-core';
import { type Answer, answerOf, problemAnswer } from '../http/answer.ts';
import { type Checked, outOfRoom, type Problem, tooLarge, unavailable } from '../http/problem.ts';
import { readBody } from '../http/read-body.ts';
import { type Form, renderConfirmation } from '../render/render.ts';
import type { RefusalReason } from '../replica.ts';
import { type JsonValue, parseJsonBody } from './json-body.ts';
import type { ManageParts, ManageRequest } from './manage-request.ts';

export async function readJson(request: ManageRequest, parts: ManageParts): Promise<Checked<JsonValue>> {
  const body = await readBody(request.body, parts.settings.maxBodyBytes);
  return body.type === 'ok' ? parseJsonBody(body.value) : body;
}

/** Replicates one command and says what became of it. The version of the answer includes the write. */
export async function write(command: ContentCommand, form: Form, parts: ManageParts): Promise<Answer> {
  const outcome = await parts.replica.propose(writeOf([command]));
  switch (outcome.type) {
    case 'applied':
      parts.feed.noteVersion(outcome.version);
      return answerOf({ form, body: renderConfirmation(form), version: outcome.version });
    case 'preconditionFailed':
      return problemAnswer({ status: 412, message: 'the precondition does not hold' }, form, outcome.version);
    case 'keyReused':
      return problemAnswer({ status: 422, message: 'another request had this key' }, form, outcome.version);
    case 'refused':
      return problemAnswer(refusalProblem(outcome.reason, outcome.message), form, parts.feed.version);
    case 'unknown': {
      const message = `it is unknown whether the write was applied: ${outcome.message}`;
      return problemAnswer({ status: 504, message }, form, parts.feed.version);
    }
    default:
      return unreachable(outcome);
  }
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
