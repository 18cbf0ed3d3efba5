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
  const ports: number[] = [];
  for (let number = 0; number < count; number += 1) ports.push(...(await reserveRow(1)));
  return ports;
}

/** The same, for ports in a row. */
export async function reserveRow(length: number): Promise<number[]> {
  mkdirSync(REGISTER, { recursive: true });
  const starts = LAST - FIRST + 2 - length;
  const offset = Math.floor(Math.random() * starts);
  for (let step = 0; step < starts; step += 1) {
    const row = await tryRow(FIRST + ((offset + step) % starts), length);
    if (row !== null) return row;
  }
  throw new Error(`no ${length} free ports in a row between ${FIRST} and ${LAST}`);
}

async function tryRow(first: number, length: number): Promise<number[] | null> {
  const claimed: number[] = [];
  for (let port = first; port < first + length; port += 1) {
    if (!claim(port)) break;
    claimed.push(port);
    if (!(await isFree(port))) break;
    if (claimed.length === length) return claimed;
  }
  releasePorts(claimed);
  return null;
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
