import { execFile, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import net from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { request } from 'undici';

const METAD = fileURLToPath(new URL('../../packages/cluster-api/bin/metad.js', import.meta.url));
// Beside the checkout's own files, so that it is a disk: /tmp often is memory.
const CACHE = fileURLToPath(new URL('../../node_modules/.cache/', import.meta.url));
const READY_LIMIT_MS = 60_000;
const MAX_LOG_CHARS = 20_000;

const running = new Set();
process.once('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});

/** Ends whatever still runs, so that nothing writes any more. */
export async function killAll() {
  await Promise.all([...running].map((child) => end(child, 'SIGKILL')));
}

/** Starts a program of this machine, without the settings that the environment may have for metad. */
export function start(program, args) {
  const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('METAD_')));
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'], env });
  running.add(child);
  child.log = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (text) => {
      child.log = (child.log + text).slice(-MAX_LOG_CHARS);
    });
  }
  child.once('close', () => running.delete(child));
  return child;
}

/** Runs a script of this folder with a job; gives what it prints as JSON. */
export async function runJob(script, job) {
  const path = fileURLToPath(new URL(script, import.meta.url));
  return new Promise((resolve, reject) => {
    const options = { maxBuffer: 1024 * 1024 };
    const child = execFile(process.execPath, [path, JSON.stringify(job)], options, (error, stdout) => {
      running.delete(child);
      if (error) reject(error);
      else resolve(JSON.parse(stdout));
    });
    running.add(child);
  });
}

/** Starts the bare server with the response that it repeats; gives its port and how to stop it. */
export async function startBareHttp(response) {
  const script = fileURLToPath(new URL('bare-http.mjs', import.meta.url));
  const child = start(process.execPath, [script, JSON.stringify(response)]);
  const [port] = await new Promise((resolve) => child.stdout.once('data', (text) => resolve([Number(text)])));
  return { port, stop: () => end(child, 'SIGKILL') };
}

export function makeDataDir() {
  mkdirSync(CACHE, { recursive: true });
  const dir = mkdtempSync(join(CACHE, 'bench-'));
  return { dir, remove: () => rmSync(dir, { recursive: true, force: true }) };
}

/** Three nodes on this machine, all of them ready. */
export async function startCluster(dir) {
  const nodes = [];
  for (let id = 1; id <= 3; id += 1) {
    const [metadata, manage, cluster] = await freePorts(3);
    nodes.push({ id, metadata, manage, cluster });
  }
  const initial = nodes.map(({ id, cluster }) => `${id}=127.0.0.1:${cluster}`).join(',');
  for (const node of nodes) {
    const ports = { listen: node.metadata, listen_manage: node.manage, listen_cluster: node.cluster };
    const listen = Object.entries(ports).flatMap(([flag, port]) => [`--${flag}`, `127.0.0.1:${port}`]);
    const own = [
      '--id',
      String(node.id),
      '--data_dir',
      join(dir, `node-${node.id}`),
      '--initial_cluster',
      initial,
    ];
    node.child = start(process.execPath, [METAD, ...own, ...listen, '--xff', '--log_level', 'warn']);
  }
  for (const node of nodes) await ready(node);
  return {
    nodes,
    leader: () => findLeader(nodes),
    stop: () => Promise.all(nodes.map(({ child }) => end(child, 'SIGTERM'))),
  };
}

async function ready(node) {
  for (const deadline = Date.now() + READY_LIMIT_MS; Date.now() < deadline; await sleep(50)) {
    if (node.child.exitCode !== null) throw new Error(`node ${node.id} ended:\n${node.child.log}`);
    const status = await request(`http://127.0.0.1:${node.manage}/ready`).then(
      ({ statusCode, body }) => body.dump().then(() => statusCode),
      () => 0,
    );
    if (status === 200) return;
  }
  throw new Error(`node ${node.id} did not become ready:\n${node.child.log}`);
}

async function findLeader(nodes) {
  const { body } = await request(`http://127.0.0.1:${nodes[0].cluster}/metrics`);
  const { Ok } = await body.json();
  return nodes.find(({ id }) => id === Ok.current_leader);
}

/** Below the range of outgoing connections, whose ports could be taken in between. */
export async function freePorts(count) {
  const ports = [];
  for (let port = 22_000 + Math.floor(Math.random() * 900); ports.length < count; port += 1) {
    const free = await new Promise((resolve) => {
      const server = net.createServer().once('error', () => resolve(false));
      server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
    });
    if (free) ports.push(port);
  }
  return ports;
}

export async function end(child, signal) {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const closed = new Promise((resolve) => child.once('close', resolve));
  child.kill(signal);
  await closed;
}
