import { setTimeout as delay } from 'node:timers/promises';
import { HOST } from './node-process.mjs';

const POLL_MS = 1000;
const REQUEST_TIMEOUT_MS = 2000;

/**
 * @typedef {object} Leader
 * @property {number} id
 * @property {number} term
 */

/**
 * Whom the nodes follow: the first that runs and knows a leader says so.
 *
 * @param {import('./node-process.mjs').NodeProcess[]} nodes
 * @returns {Promise<Leader | null>}
 */
export async function currentLeader(nodes) {
  for (const { plan } of nodes.filter((node) => node.running)) {
    const metrics = await readMetrics(plan.ports.cluster);
    if (metrics?.current_leader) return { id: metrics.current_leader, term: metrics.current_term };
  }
  return null;
}

/**
 * Calls `changed` with each new leader after `known`, until `signal` is aborted.
 *
 * @param {import('./node-process.mjs').NodeProcess[]} nodes
 * @param {Leader | null} known
 * @param {(leader: Leader) => void} changed
 * @param {AbortSignal} signal
 */
export async function followLeader(nodes, known, changed, signal) {
  let last = known;
  while (!signal.aborted) {
    const leader = await currentLeader(nodes);
    if (leader !== null && leader.term > (last?.term ?? 0)) {
      last = leader;
      changed(leader);
    }
    await delay(POLL_MS);
  }
}

/** null from a node that does not answer: it may be gone, or just starting. */
async function readMetrics(port) {
  try {
    const signal = AbortSignal.timeout(REQUEST_TIMEOUT_MS);
    const response = await fetch(`http://${HOST}:${port}/metrics`, { signal });
    return response.ok ? (await response.json()).Ok : null;
  } catch {
    return null;
  }
}
