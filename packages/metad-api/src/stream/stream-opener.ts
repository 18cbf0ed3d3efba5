import type { Version } from '@metad/kv-store';
import type { Answer } from '../http/answer.ts';
import type { ApiRequest } from '../http/api-request.ts';
import { CACHE_HEADERS } from '../http/cache-headers.ts';
import { VERSION_HEADER } from '../http/header-names.ts';
import { type Checked, ok, type Problem, refuse, unavailable } from '../http/problem.ts';
import { readJitterMs, readLastEventId, readMaxLagMs } from '../http/query-options.ts';
import type { Answers } from '../read/answers.ts';
import type { Freshness } from '../read/freshness.ts';
import type { Question } from '../read/question.ts';
import type { MetadSettings } from '../settings.ts';
import type { CatchUp } from '../wait/catch-up.ts';
import type { ChangeFeed } from '../wait/change-feed.ts';
import type { HeldRequests } from '../wait/held-requests.ts';
import { EventStream } from './event-stream.ts';
import type { EventStreams } from './event-streams.ts';

const EVENT_STREAM = 'text/event-stream';

/** `X-Accel-Buffering` keeps nginx from collecting events before it passes them on. */
const FIELDS = Object.entries({
  'Content-Type': EVENT_STREAM,
  ...CACHE_HEADERS,
  'X-Accel-Buffering': 'no',
}).flat();

/** The form of the state within an event. */
const EVENT_FORM = { format: 'json', pretty: false } as const;

interface OpenerParts {
  readonly feed: ChangeFeed;
  readonly answers: Answers;
  readonly freshness: Freshness;
  readonly catchUp: CatchUp;
  readonly held: HeldRequests;
  readonly streams: EventStreams;
  readonly settings: MetadSettings;
}

/** Turns requests into streams. */
export class StreamOpener {
  readonly #parts: OpenerParts;

  constructor(parts: OpenerParts) {
    this.#parts = parts;
  }

  /** For HEAD an answer without any events. */
  async open(
    { host, path }: Question,
    query: URLSearchParams | null,
    request: ApiRequest,
  ): Promise<Checked<EventStream | Answer>> {
    const { feed, answers, freshness, held, streams, settings } = this.#parts;
    const problem = await freshness.ensure(request, query, 'local');
    if (problem !== null) return refuse(problem);
    const jitterMs = readJitterMs(query, settings);
    if (jitterMs.type === 'problem') return jitterMs;
    const maxLagMs = readMaxLagMs(query);
    if (maxLagMs.type === 'problem') return maxLagMs;
    const since = readLastEventId(query, request.header('last-event-id'));
    const client = host ?? '';
    const refused = await this.#findObstacle(since, client, request);
    if (refused !== null) return refuse(refused);
    const fields = [...FIELDS, VERSION_HEADER, String(feed.version)];
    if (request.method === 'HEAD') return ok(headersOnly(fields, feed.version));
    const full = held.hold(client);
    if (full !== null) return refuse(full);
    const stream = new EventStream(
      {
        host,
        path,
        since,
        jitterMs: jitterMs.value,
        fields,
        look: () => answers.answer({ host, path, form: EVENT_FORM }, request),
        findProblem: () => freshness.ensureLag(maxLagMs.value),
        onGone: (listener) => request.onGone(listener),
        onClosed: () => held.release(client),
      },
      streams,
    );
    return ok(stream);
  }

  /** A stream never shows less than what its client has seen: a node that is behind leaves it to another one. */
  async #findObstacle(since: Version | null, address: string, request: ApiRequest): Promise<Problem | null> {
    const { catchUp, streams } = this.#parts;
    const stopping = unavailable('this node is stopping');
    if (streams.waiters.isStopped) return stopping;
    if (since === null) return null;
    const onGone = (listener: () => void): (() => void) => request.onGone(listener);
    const outcome = await catchUp.reaches(since, { address, onGone });
    if (outcome === 'behind') return unavailable(`this node has not reached version ${since} yet`);
    return outcome === 'stopped' ? stopping : null;
  }
}

function headersOnly(fields: readonly string[], version: Version): Answer {
  return {
    status: 200,
    contentType: EVENT_STREAM,
    body: '',
    length: 0,
    version,
    headers: {},
    wire: { fields, body: Buffer.alloc(0) },
  };
}
