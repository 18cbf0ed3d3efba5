import { createHash } from 'node:crypto';
import type { Answer } from '../http/answer.ts';

/** One event, as it goes out. */
export interface StateEvent {
  readonly frame: Buffer;
  /** Equal for two events that show the same; kept in place of what was sent, which may be large. */
  readonly digest: string;
}

/** The first words of a stream: how long a browser waits before it comes back, in milliseconds. */
export const OPENING = 'retry: 1000\n\n';

/** The last ones, when the node can't go on. An event without data would not be told to the client's program. */
export const STOPPING = 'event: stopping\ndata: null\n\n';

/** Events of answers that are kept: whoever is sent the same answer shares its event. */
const events = new WeakMap<Answer, StateEvent>();

/** `answer` is in compact JSON: one line. Anything but 200 stands for what is missing. */
export function stateEventOf(answer: Answer): StateEvent {
  const known = events.get(answer);
  if (known !== undefined) return known;
  const isThere = answer.status === 200;
  const data = isThere ? answer.body : 'null';
  const text = `event: ${isThere ? 'state' : 'missing'}\nid: ${answer.version}\ndata: ${data}\n\n`;
  const event = {
    frame: Buffer.from(text),
    digest: isThere ? createHash('sha256').update(data).digest('base64') : '',
  };
  events.set(answer, event);
  return event;
}

/** Keeps the connection alive, and lets the client know that it has seen all up to `version`. */
export function heartbeat(version: number | null): string {
  // Without data it is no event, but its id counts: the client comes back with it.
  return version === null ? ':\n\n' : `:\nid: ${version}\n\n`;
}
