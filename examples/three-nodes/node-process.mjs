import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

export const HOST = '127.0.0.1';
const METAD = fileURLToPath(new URL('../../packages/cluster-api/bin/metad.js', import.meta.url));
/** How long a node may take to hand over and close its databases before it is killed. */
const STOP_TIMEOUT_MS = 15_000;
const LOG_TAIL_LINES = 15;

/** The cluster can't be started, or has gone; the message says why. */
export class ClusterError extends Error {}

/**
 * One node of the cluster.
 *
 * @typedef {object} NodePlan
 * @property {number} id
 * @property {Record<'metadata' | 'manage' | 'cluster', number>} ports
 * @property {string} dataDir
 * @property {string} logFile
 * @property {string[]} args of metad
 */

/**
 * @param {import('./options.mjs').Options} options
 * @returns {NodePlan[]}
 */
export function planNodes({ nodes, ports, dataDir, logLevel }) {
  const ids = Array.from({ length: nodes }, (_, index) => index + 1);
  const members = ids.map((id) => `${id}=${HOST}:${ports.cluster + id - 1}`).join(',');
  return ids.map((id) => {
    const own = {
      metadata: ports.metadata + id - 1,
      manage: ports.manage + id - 1,
      cluster: ports.cluster + id - 1,
    };
    const args = [
      ...['--id', `${id}`, '--data_dir', `${dataDir}/node-${id}`, '--log_level', logLevel, '--xff'],
      ...['--listen', `${HOST}:${own.metadata}`, '--listen_manage', `${HOST}:${own.manage}`],
      ...['--listen_cluster', `${HOST}:${own.cluster}`, '--initial_cluster', members],
    ];
    return { id, ports: own, dataDir: `${dataDir}/node-${id}`, logFile: `${dataDir}/node-${id}.log`, args };
  });
}

/** A running metad. */
export class NodeProcess {
  /** @type {NodePlan} */
  plan;
  /** Resolves to how it ended, in words. */
  ended;
  running = true;
  #child;

  /** @param {NodePlan} plan */
  constructor(plan) {
    this.plan = plan;
    const log = openSync(plan.logFile, 'a');
    // A process group of its own: Ctrl-C reaches this program only, which then stops the nodes one after the other.
    this.#child = spawn(process.execPath, [METAD, ...plan.args], {
      stdio: ['ignore', log, log],
      detached: true,
      env: withoutSettings(process.env),
    });
    closeSync(log);
    this.ended = once(this.#child, 'exit').then(([code, signal]) => {
      this.running = false;
      return signal === null ? `exit code ${code}` : `signal ${signal}`;
    });
  }

  /** Asks it to stop, waits, and kills it if that takes too long. Returns whether it ended by itself. */
  async stop() {
    if (!this.running) return true;
    this.#child.kill('SIGTERM');
    let inTime = true;
    const timer = setTimeout(() => {
      inTime = false;
      this.kill();
    }, STOP_TIMEOUT_MS);
    await this.ended;
    clearTimeout(timer);
    return inTime;
  }

  kill() {
    if (this.running) this.#child.kill('SIGKILL');
  }

  /** The last lines that it logged. */
  logTail() {
    return readFileSync(this.plan.logFile, 'utf8').trimEnd().split('\n').slice(-LOG_TAIL_LINES).join('\n');
  }

  /** What a person would type to start it again. */
  commandLine() {
    return ['node', METAD, ...this.plan.args].join(' ');
  }
}

/** The nodes are what their flags say, whatever METAD_ variables happen to be set here. */
function withoutSettings(env) {
  return Object.fromEntries(Object.entries(env).filter(([name]) => !name.startsWith('METAD_')));
}
