import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buildSnapshot, Store } from '@metad/kv-store';
import { afterEach, beforeEach, expect, onTestFinished, test, vi } from 'vitest';
import { backUp } from '../src/metadctl/backup.ts';
import { Endpoint } from '../src/metadctl/endpoint.ts';

// A node that answers as it should not: nothing but a whole backup ever gets the name that was asked for.

let dir: string;
let file: string;
let whole: Buffer;
const interrupt = new AbortController();

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'metad-backup-'));
  file = join(dir, 'metad.backup');
  const source = join(dir, 'source');
  const store = Store.open(join(dir, 'store'));
  buildSnapshot({ stateFile: store.stateFile, to: source, cluster: 'test' });
  store.close();
  whole = readFileSync(source);
  rmSync(source);
  rmSync(join(dir, 'store'), { recursive: true });
});

afterEach(() => rmSync(dir, { recursive: true }));

/** A cluster port that answers like this. */
async function port(listener: RequestListener): Promise<URL> {
  const server = createServer(listener);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
}

function run(url: URL, signal = interrupt.signal, replaces = false): Promise<void> {
  const endpoint = Endpoint.open({ url, tokenFile: null, signal });
  return backUp(endpoint, { file, replaces, local: false, print: () => undefined });
}

test('a whole backup gets its name', async () => {
  await run(await port((_, response) => response.end(whole)));
  expect(readFileSync(file).equals(whole)).toBe(true);
  expect(readdirSync(dir)).toEqual(['metad.backup']);
});

test('one that was changed on its way does not, and the file that is there stays', async () => {
  writeFileSync(file, 'the last one');
  const changed = Buffer.from(whole);
  changed[whole.length - 7] = (whole.at(-7) ?? 0) ^ 1;
  const url = await port((_, response) => response.end(changed));
  await expect(run(url, interrupt.signal, true)).rejects.toThrow(/is damaged/);
  expect(readFileSync(file, 'utf8')).toBe('the last one');
  expect(readdirSync(dir)).toEqual(['metad.backup']);
});

test('one that breaks off does not', async () => {
  const url = await port((_, response) => {
    response.writeHead(200, { 'Content-Length': whole.length });
    response.write(whole.subarray(0, 5000), () => response.destroy());
  });
  await expect(run(url)).rejects.toThrow(/breaks off its answer: /);
  expect(readdirSync(dir)).toEqual([]);
});

test('one that the user interrupts does not', async () => {
  const user = new AbortController();
  const url = await port((_, response) => {
    response.writeHead(200, { 'Content-Length': whole.length });
    response.write(whole.subarray(0, 5000));
  });
  const running = run(url, user.signal);
  const ended = expect(running).rejects.toThrow();
  await vi.waitFor(() => expect(readdirSync(dir)).toEqual(['metad.backup.part']));
  user.abort();
  await ended;
  expect(readdirSync(dir)).toEqual([]);
});

test.each([
  [503, '{"err":{"code":503,"message":"another backup"}}', /answers 503: another backup$/],
  [400, '{"Err":{"APIError":{"BadRequest":{"message":"no such thing"}}}}', /answers 400: no such thing$/],
  [404, 'not here', /answers 404: not here$/],
])('%i is said with its reason', async (status, text, reason) => {
  const url = await port((_, response) => response.writeHead(status).end(text));
  await expect(run(url)).rejects.toThrow(reason);
  expect(readdirSync(dir)).toEqual([]);
});
