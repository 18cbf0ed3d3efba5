import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

// Below the range from which the kernel takes the ports of outgoing connections, and beside every default of ours:
// a port that is free now must still be free when the node under test opens it.
const FIRST = 23_000;
const LAST = 31_999;
const REGISTER = join(tmpdir(), 'metad-test-ports');

const held = new Set<number>();
process.once('exit', () => releasePorts([...held]));

/** Reserves loopback ports against every other test process on this machine, until released or until it exits. */
export async function reservePorts(count: number): Promise<number[]> {
  mkdirSync(REGISTER, { recursive: true });
  const ports: number[] = [];
  const range = LAST - FIRST + 1;
  const start = Math.floor(Math.random() * range);
  for (let step = 0; ports.length < count; step += 1) {
    if (step === range) throw new Error(`no ${count} free ports between ${FIRST} and ${LAST}`);
    const port = FIRST + ((start + step) % range);
    if (!claim(port)) continue;
    if (await isFree(port)) ports.push(port);
    else releasePorts([port]);
  }
  return ports;
}

export function releasePorts(ports: readonly number[]): void {
  for (const port of ports) {
    if (held.delete(port)) rmSync(lockFile(port), { force: true });
  }
}

const lockFile = (port: number): string => join(REGISTER, String(port));

/** Creates the port's lock file, which names the process that holds it. */
function claim(port: number): boolean {
  if (held.has(port)) return false;
  try {
    writeFileSync(lockFile(port), String(process.pid), { flag: 'wx' });
  } catch (error) {
    if (codeOf(error) !== 'EEXIST') throw error;
    if (holderIsAlive(port)) return false;
    rmSync(lockFile(port), { force: true });
    return claim(port);
  }
  held.add(port);
  return true;
}

function holderIsAlive(port: number): boolean {
  try {
    const pid = Number(readFileSync(lockFile(port), 'utf8'));
    // Empty: its holder is just writing it.
    return pid === 0 || process.kill(pid, 0);
  } catch (error) {
    return codeOf(error) === 'EPERM';
  }
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = net.createServer();
    server.once('error', () => resolve(false));
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
  });
}

function codeOf(error: unknown): unknown {
  return error instanceof Error && 'code' in error ? error.code : undefined;
}
