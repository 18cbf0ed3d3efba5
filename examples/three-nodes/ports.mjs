import { createServer } from 'node:net';
import { HOST } from './node-process.mjs';

/**
 * @param {import('./node-process.mjs').NodePlan[]} plans
 * @returns {Promise<string[]>} a sentence for each port that can't be opened
 */
export async function unusablePorts(plans) {
  const all = plans.flatMap(({ id, ports }) =>
    Object.entries(ports).map(([kind, port]) => ({ id, kind, port })),
  );
  const sentences = await Promise.all(
    all.map(async ({ id, kind, port }) => {
      const code = await tryToListen(port);
      if (code === null) return [];
      const why = code === 'EADDRINUSE' ? 'is taken' : `cannot be opened (${code})`;
      return [`port ${port}, the ${kind} port of node ${id}, ${why}: choose others with --${kind}_port`];
    }),
  );
  return sentences.flat();
}

function tryToListen(port) {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', (error) => resolve(error.code ?? error.message));
    server.listen(port, HOST, () => server.close(() => resolve(null)));
  });
}
