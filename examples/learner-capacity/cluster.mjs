import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

export const HOST = '127.0.0.1';
const METAD = fileURLToPath(new URL('../../packages/cluster-api/bin/metad.js', import.meta.url));
const READY_TIMEOUT_MS = 60_000;
const POLL_MS = 50;
/** Of `/proc`, on every Linux that runs Node. */
const TICKS_PER_SECOND = 100;

/** A node has ended, or does not come up; the message says how. */
export class ClusterError extends Error {}

/** A metad within its budget of processor time. */
export class CapacityNode {
  id;
  ports;
  #child;
  #log = '';
  #hasEnded = false;

  /** @param {{ id: number, port: number, dataDir: string, budget: import('./cpu-budget.mjs').CpuBudget, flags?: string[] }} options */
  constructor({ id, port, dataDir, budget, flags = [] }) {
    this.id = id;
    this.ports = { metadata: port, manage: port + 1, cluster: port + 2 };
    const { metadata, manage, cluster } = this.ports;
    const args = [
      ...[
        '--id',
        `${id}`,
        '--data_dir',
        `${dataDir}/node-${id}`,
        '--log_level',
        'warn',
        '--listen',
        `${HOST}:${metadata}`,
      ],
      ...['--listen_manage', `${HOST}:${manage}`, '--listen_cluster', `${HOST}:${cluster}`, ...flags],
    ];
    const [program, ...words] = budget.command(id, [process.execPath, METAD, ...args]);
    this.#child = spawn(program, words, {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: withoutSettings(process.env),
    });
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      stream.setEncoding('utf8').on('data', (text) => {
        this.#log = (this.#log + text).slice(-5000);
      });
    }
    this.#child.once('exit', () => {
      this.#hasEnded = true;
    });
  }

  url(port) {
    return `http://${HOST}:${this.ports[port]}`;
  }

  /** Resolves once it answers 200 there. */
  async answers(port, path) {
    const deadline = performance.now() + READY_TIMEOUT_MS;
    for (;;) {
      if (this.#hasEnded) throw new ClusterError(`node ${this.id} has ended:\n${this.#log}`);
      if (await isOk(`${this.url(port)}${path}`)) return;
      if (performance.now() > deadline)
        throw new ClusterError(
          `node ${this.id} is not ready after ${READY_TIMEOUT_MS / 1000} s:\n${this.#log}`,
        );
      await sleep(POLL_MS);
    }
  }

  /** Processor time that it has used, in seconds; null where the system does not tell. */
  cpuSeconds() {
    if (process.platform !== 'linux') return null;
    // The name, which may hold spaces, ends with the last bracket.
    const fields = readFileSync(`/proc/${this.#child.pid}/stat`, 'latin1').split(') ').at(-1).split(' ');
    return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
  }

  async stop() {
    if (this.#hasEnded) return;
    const ended = once(this.#child, 'exit');
    this.#child.kill('SIGKILL');
    await ended;
  }
}

/** Makes the node, which waits with an empty data directory, a learner; resolves once it serves. */
export async function addLearner(leader, learner) {
  await learner.answers('cluster', '/health');
  const response = await fetch(`${leader.url('cluster')}/add-learner`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify([learner.id, `${HOST}:${learner.ports.cluster}`]),
  });
  const answer = await response.text();
  if (!response.ok) throw new ClusterError(`the learner was not added: ${answer}`);
  await learner.answers('manage', '/ready');
}

async function isOk(url) {
  try {
    return (await fetch(url)).ok;
  } catch (error) {
    if (error instanceof TypeError) return false;
    throw error;
  }
}

/** The nodes are what their flags say, whatever METAD_ variables happen to be set here. */
function withoutSettings(env) {
  return Object.fromEntries(Object.entries(env).filter(([name]) => !name.startsWith('METAD_')));
}
