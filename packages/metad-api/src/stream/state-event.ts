import { createHash } from 'node:crypto';
import type { Answer } from '../http/answer.ts';
import { nextTurn } from '../steps.ts';

/** One event, as it goes out. */
export interface StateEvent {
  /** In the pieces in which it is written. */
  readonly frame: readonly (string | Buffer)[];
  /** Equal for two events that show the same; kept in place of what was sent, which may be large. */
  readonly digest: string;
}

/** The first words of a stream: how long a browser waits before it comes back, in milliseconds. */
export const OPENING = 'retry: 1000\n\n';

/** The last ones, when the node can't go on. An event without data would not be told to the client's program. */
export const STOPPING = 'event: stopping\ndata: null\n\n';

/** Events of answers that are kept: whoever is sent the same answer shares its event. */
const events = new WeakMap<Answer, Promise<StateEvent>>();

/** `answer` is in compact JSON: one line. Anything but 200 stands for what is missing. */
export function stateEventOf(answer: Answer): Promise<StateEvent> {
  const event = events.get(answer) ?? makeEvent(answer);
  events.set(answer, event);
  return event;
}

async function makeEvent({ status, version, body }: Answer): Promise<StateEvent> {
  const [type, data] = status === 200 ? ['state', body] : ['missing', 'null'];
  const head = `event: ${type}\nid: ${version}\ndata: `;
  if (typeof data === 'string') {
    const text = `${head}${data}${FRAME_END}`;
    const digest = status === 200 ? createHash('sha256').update(data).digest('base64') : '';
    return { frame: [Buffer.from(text)], digest };
  }
  const hash = createHash('sha256');
  for (const piece of data) {
    hash.update(piece);
    await nextTurn();
  }
  return { frame: [head, ...data, FRAME_END], digest: hash.digest('base64') };
}

const FRAME_END = '\n\n';

/** Keeps the connection alive, and lets the client know that it has seen all up to `version`. */
export function heartbeat(version: number | null): string {
  // Without data it is no event, but its id counts: the client comes back with it.
  return version === null ? ':\n\n' : `:\nid: ${version}\n\n`;
}
