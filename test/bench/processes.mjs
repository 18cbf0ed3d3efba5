import { execFile, fork, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import net from 'node:net';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

// Beside the checkout's own files, so that it is a disk: /tmp often is memory.
const CACHE = fileURLToPath(new URL('../../node_modules/.cache/', import.meta.url));
const MAX_LOG_CHARS = 20_000;
/** The unit of the times in /proc, on every Linux that Node runs on. */
const CLOCK_TICKS_PER_SECOND = 100;

let nextPort = 22_000 + Math.floor(Math.random() * 9_000);

const running = new Set();
process.once('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});

/** Ends whatever still runs, so that nothing writes any more. */
export async function killAll() {
  await Promise.all([...running].map((child) => end(child, 'SIGKILL')));
}

export async function end(child, signal) {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const closed = new Promise((resolve) => child.once('close', resolve));
  child.kill(signal);
  await closed;
}

/** Starts a program of this machine, without the settings that the environment may have for metad. */
export function start(program, args, channel = 'ignore') {
  const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('METAD_')));
  const child = watch(spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe', channel], env }));
  child.log = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (text) => {
      child.log = (child.log + text).slice(-MAX_LOG_CHARS);
    });
  }
  return child;
}

/** Starts a server in Node; one that `collects` can be asked for its {@link heldBytes}. */
export function startServer(args, { collects = false } = {}) {
  if (!collects) return start(process.execPath, args);
  const collecting = ['--expose-gc', '--import', programFile('collect-garbage.mjs')];
  return start(process.execPath, [...collecting, ...args], 'ipc');
}

/** Runs a program of this folder with a job; gives what it prints as JSON. */
export function runJob(name, job) {
  return startJob(name, job).result;
}

/** The same, for a job that lasts until it is told to end. */
export function startJob(name, job) {
  let child = null;
  const result = new Promise((resolve, reject) => {
    const args = [programFile(name), JSON.stringify(job)];
    child = execFile(process.execPath, args, { maxBuffer: 1024 * 1024 }, (error, stdout) => {
      if (error) reject(error);
      else resolve(JSON.parse(stdout));
    });
  });
  watch(child);
  return {
    result,
    finish: () => {
      child.stdin.end();
      return result;
    },
  };
}

/** Starts a program of this folder that talks by messages. */
export function forkProgram(name) {
  return watch(fork(programFile(name)));
}

/** Starts node:http with the answer that it gives to all; gives its port, its process, and how to stop it. */
export function startBareHttp(answer, options) {
  return startBare('bare-http.mjs', answer, options);
}

/** Three processes that keep what they are sent in a file each, and no more; gives the port of the one that is asked. */
export async function startBareLogs(dir) {
  const log = (name, followers) =>
    startBare('bare-log.mjs', { file: join(dir, `bare-${name}.log`), followers });
  const followers = [await log('b', null), await log('c', null)];
  const leader = await log(
    'a',
    followers.map(({ port }) => port),
  );
  const stop = () => Promise.all([leader, ...followers].map((one) => one.stop()));
  return { port: leader.port, stop };
}

/** Starts a server of this folder that prints its port. */
async function startBare(name, job, options) {
  const child = startServer([programFile(name), JSON.stringify(job)], options);
  const port = await new Promise((resolve) => child.stdout.once('data', (text) => resolve(Number(text))));
  return { port, child, stop: () => end(child, 'SIGKILL') };
}

export function makeDataDir() {
  mkdirSync(CACHE, { recursive: true });
  const dir = mkdtempSync(join(CACHE, 'bench-'));
  return { dir, remove: () => rmSync(dir, { recursive: true, force: true }) };
}

/** Processor time that a process has used, all its threads together. */
export function cpuSeconds({ pid }) {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  // The name, in brackets, may hold anything; user and system time are the 14th and the 15th field.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) / CLOCK_TICKS_PER_SECOND;
}

/**
 * What a server holds once its garbage is collected: memory that is resident, and what of it are objects (with the buffers
 * that belong to them).
 */
export async function heldBytes(child) {
  const collected = new Promise((resolve) => child.once('message', resolve));
  child.send('collect');
  const { heap } = await collected;
  return { resident: residentBytes(child), heap };
}

function residentBytes({ pid }) {
  const [, kilobytes] = /^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? [];
  return Number(kilobytes) * 1024;
}

/** Below the range of outgoing connections, whose ports could be taken in between; none is given twice. */
export async function freePorts(count) {
  const ports = [];
  for (; ports.length < count; nextPort += 1) {
    const port = nextPort;
    const free = await new Promise((resolve) => {
      const server = net.createServer().once('error', () => resolve(false));
      server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
    });
    if (free) ports.push(port);
  }
  return ports;
}

function watch(child) {
  running.add(child);
  child.once('close', () => running.delete(child));
  return child;
}

function programFile(name) {
  return fileURLToPath(new URL(`programs/${name}`, import.meta.url));
}
