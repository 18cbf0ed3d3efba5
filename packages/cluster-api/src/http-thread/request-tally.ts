import type { RequestReport } from '@metad/metad-api';
import { Distribution, histogramText } from '../consensus/distribution.ts';

const REQUESTS = 'metad_http_requests_total';
const SECONDS = 'metad_http_request_seconds';
const BOUNDS_SECONDS = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5, 60];

/** What was answered on one route. */
interface RouteTally {
  readonly seconds: Distribution;
  /** By method, then by status. */
  readonly counts: Map<string, Map<number, number>>;
}

/**
 * Counts requests and their times for Prometheus. Nothing is put together for a request: a library's labels cost a write
 * more than its JSON.
 */
export class RequestTally {
  readonly #apps: Readonly<Record<RequestReport['app'], Map<string, RouteTally>>> = {
    metadata: new Map(),
    manage: new Map(),
  };

  add({ app, method, route, status, seconds }: RequestReport): void {
    const tally = orNew(this.#apps[app], route, newTally);
    tally.seconds.observe(seconds);
    const counts = orNew(tally.counts, method, newCounts);
    counts.set(status, (counts.get(status) ?? 0) + 1);
  }

  /** In Prometheus' text format. */
  text(): string {
    const counted: string[] = [];
    const timed: string[] = [];
    for (const [app, routes] of Object.entries(this.#apps)) {
      for (const [route, { seconds, counts }] of routes) {
        const labels = `app="${app}",route="${route}"`;
        timed.push(...seconds.lines(SECONDS, labels));
        for (const [method, byStatus] of counts) {
          for (const [status, count] of byStatus)
            counted.push(`${REQUESTS}{${labels},method="${method}",status="${status}"} ${count}`);
        }
      }
    }
    const help = 'From a request to its answer; long polls count with the time they wait.';
    const head = `# HELP ${REQUESTS} Requests answered on the metadata and the manage port.\n# TYPE ${REQUESTS} counter`;
    return `${[head, ...counted, ''].join('\n')}${histogramText({ name: SECONDS, help, lines: timed })}`;
  }
}

function newTally(): RouteTally {
  return { seconds: new Distribution(BOUNDS_SECONDS), counts: new Map() };
}

function newCounts(): Map<number, number> {
  return new Map();
}

function orNew<K, V>(map: Map<K, V>, key: K, make: () => V): V {
  const known = map.get(key);
  if (known !== undefined) return known;
  const made = make();
  map.set(key, made);
  return made;
}
