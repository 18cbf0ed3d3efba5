import { createServer } from 'node:http';
import { expect, onTestFinished, test } from 'vitest';
import { loadConfig } from '../src/config/load-config.ts';
import type { NodeConfig } from '../src/config/node-config.ts';
import { boundPort, closeServer, ListenError, listen } from '../src/http-listener.ts';
import { type BoundPorts, NodePorts } from '../src/node-ports.ts';

/** The addresses as flags, each of a port of the system's choice unless it is given. */
function config(given: Readonly<Record<string, number>> = {}): NodeConfig {
  const flags = ['listen', 'listen_manage', 'listen_cluster'].flatMap((setting) => [
    `--${setting}`,
    `127.0.0.1:${given[setting] ?? 0}`,
  ]);
  const outcome = loadConfig(flags, {});
  if (outcome.type === 'exit') throw new Error(outcome.output);
  return outcome.config;
}

const fail = (error: unknown): never => {
  throw error;
};

const ask = ({ metadata, manage, cluster }: BoundPorts) =>
  Promise.all(
    [metadata, manage, cluster].map(async (port) => {
      const response = await fetch(`http://127.0.0.1:${port}/self`);
      return [response.status, response.headers.get('retry-after'), await response.text()];
    }),
  );

test('ports answer that the node is starting until it is there, then the node answers', async () => {
  const ports = await NodePorts.open(config(), fail);
  onTestFinished(() => ports.close(0));
  const starting = [503, '1', 'this node is starting: try again in a moment\n'];
  expect(await ask(ports.bound)).toEqual([starting, starting, starting]);
  ports.serveCluster({
    handle: (_request, response) => void response.end('served'),
    handlePeer: () => fail(''),
  });
  expect(await ask(ports.bound)).toEqual([starting, starting, [200, null, 'served']]);
});

test.each(['listen', 'listen_manage', 'listen_cluster'] as const)(
  'when that of --%s is taken none stays open',
  async (setting) => {
    const limits = { headerTimeoutMs: 1000, requestTimeoutMs: 1000 };
    const address = { host: '127.0.0.1', port: 0 };
    const taken = await listen({ setting, address, handler: () => undefined, limits });
    onTestFinished(() => closeServer(taken, 0));
    const free = createServer().listen(0, '127.0.0.1');
    await new Promise((resolve) => free.once('listening', resolve));
    const port = boundPort(free);
    await closeServer(free, 0);
    const other = setting === 'listen_cluster' ? 'listen' : 'listen_cluster';
    const opening = NodePorts.open(config({ [setting]: boundPort(taken), [other]: port }), fail);
    await expect(opening).rejects.toThrow(ListenError);
    await expect(fetch(`http://127.0.0.1:${port}`)).rejects.toThrow();
  },
);
