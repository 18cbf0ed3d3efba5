import { setTimeout as sleep } from 'node:timers/promises';
import { runJob, startJob } from './processes.mjs';

/**
 * @typedef {{
 *   ports: { port: number }[],
 *   connections: number,
 *   seconds?: number,
 *   warmUpSeconds: number,
 *   request: { method: string, path: string, headers?: string, body?: string },
 *   keys?: number,
 *   rate?: number,
 * }} Job What programs/load.mjs is told: how long (without `seconds`: until its input ends), what (with the placeholders
 *   of programs/template.mjs in path and body), and at most how much in a second.
 *
 * @typedef {{ name: string, connections: number, job?: Job, run: () => Promise<object> }} Cell One thing that is
 *   measured, in each pass once.
 */

/** Before each measurement, so that connections and queues are as they stay. */
const CELL_WARM_UP_SHARE = 0.25;

/** One kind of request on some ports, for so many seconds; see {@link Job} for what else can be said. */
export function loadCell({ name, ports, seconds, ...rest }) {
  const warmUpSeconds = seconds * CELL_WARM_UP_SHARE;
  const job = { ports: ports.map((port) => ({ port })), seconds, warmUpSeconds, ...rest };
  return { name, connections: job.connections, job, run: () => runJob('load.mjs', job) };
}

/** So many writes in a second of what nobody reads, until `finish` is called. */
export function startWrites(leader, rate) {
  const { job } = loadCell({
    ports: [leader.manage],
    connections: 16,
    seconds: 1,
    rate,
    request: { method: 'PUT', path: '/v1/data/elsewhere/{c}/k', body: '"{n}"' },
  });
  return startJob('load.mjs', { ...job, seconds: undefined });
}

/** Lets compilers, caches and files of what is compared become what they stay, by the same load for each. */
export async function warmUp(cells, seconds) {
  for (const { job } of cells)
    await runJob('load.mjs', { ...job, connections: 64, warmUpSeconds: 0, seconds });
}

/**
 * Runs all cells, one after the other, as often as there are passes; each row is the pass in the middle, by its rate. So a
 * noisy moment decides nothing, and what is compared shares good and bad minutes.
 */
export async function measure(cells, passes) {
  const results = cells.map(() => []);
  for (let pass = 0; pass < passes; pass += 1) {
    for (const [i, { run }] of cells.entries()) results[i].push(await run());
  }
  return cells.map(({ name, connections }, i) => {
    const failed = results[i].reduce((sum, result) => sum + result.failed, 0);
    const { firstFailure } = results[i].find((result) => result.firstFailure !== null) ?? {
      firstFailure: null,
    };
    return { name, connections, ...middle(results[i]), failed, firstFailure };
  });
}

/** The result in the middle, by rate. */
function middle(results) {
  return results.toSorted((a, b) => a.perSecond - b.perSecond)[results.length >> 1];
}

export function median(values) {
  return values.toSorted((a, b) => a - b)[values.length >> 1];
}

/** Waits until `look` gives something. */
export async function until(look, { limitMs = 120_000, everyMs = 10, what }) {
  for (const deadline = Date.now() + limitMs; Date.now() < deadline; await sleep(everyMs)) {
    const found = await look();
    if (found) return found;
  }
  throw new Error(`${what}: not within ${limitMs} ms`);
}
