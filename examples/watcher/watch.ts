/**
 * Keeps a file in step with /self, through failures of nodes.
 *
 *     npm start                                             a cluster to watch, in another terminal
 *     node examples/watcher/dist/watch.js --file self.json
 *     curl -X PUT -d '{"release":"3.0.0"}' http://127.0.0.1:9611/v1/data/clusters/shop
 *
 *     --file PATH       the file, JSON; removed while this client is shown nothing
 *     --node URL        metadata address of a node; give one for each (default: the three of npm start)
 *     --path PATH       what to follow (default: /self)
 *     --wait SECONDS    how long a node holds a request in which nothing happens (default: 20)
 *
 * The file is replaced as a whole, so a reader never sees half of it, and never by something older than it holds: not
 * when a node fails, not when the next one is behind, not after a restart of this program. SIGINT and SIGTERM end it.
 *
 * `npm run build` compiles it.
 */
import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { MetadClient, MetadError } from '@metad/metad-api/client';
import { MirrorFile } from './mirror-file.ts';

const DEFAULT_NODES = ['http://127.0.0.1:8080', 'http://127.0.0.1:8081', 'http://127.0.0.1:8082'];
const MAX_WAIT_SECONDS = 600;

interface Options {
  readonly file: MirrorFile;
  readonly nodes: readonly string[];
  readonly path: string;
  readonly waitSeconds: number;
}

/** The flags make no sense; the message says why. */
class UsageError extends Error {}

async function main(args: string[]): Promise<void> {
  const { file, nodes, path, waitSeconds } = readOptions(args);
  const stop = new AbortController();
  for (const name of ['SIGINT', 'SIGTERM'] as const) process.on(name, () => stop.abort());
  const client = new MetadClient({ endpoints: nodes, startAt: 'first' });
  const states = client.watch(path, {
    signal: stop.signal,
    waitSeconds,
    // A file that is there may be of any version, so only what is certainly not older may replace it. Without one there
    // is nothing to fall behind, and a machine can start although the cluster has lost its quorum.
    consistency: file.exists() ? 'linearizable' : 'local',
    onFailure: ({ endpoint, reason, retryMs }) => {
      process.stderr.write(`${endpoint} ${reason}; trying the next node in ${retryMs} ms\n`);
    },
  });
  for await (const state of states) {
    if (state.found) {
      const isOther = await file.replace(`${JSON.stringify(state.value, null, 2)}\n`);
      if (isOther) process.stdout.write(`written at version ${state.version}\n`);
    } else if (await file.remove()) process.stdout.write(`removed at version ${state.version}\n`);
  }
}

function readOptions(args: string[]): Options {
  const { file, node: nodes, path, wait } = parse(args);
  if (file === undefined) throw new UsageError('--file is missing: the file to keep');
  const waitSeconds = /^\d+$/.test(wait) ? Number(wait) : 0;
  if (waitSeconds < 1 || waitSeconds > MAX_WAIT_SECONDS) {
    throw new UsageError(`--wait: expected seconds from 1 to ${MAX_WAIT_SECONDS}, not '${wait}'`);
  }
  for (const node of nodes) {
    if (!URL.canParse(node))
      throw new UsageError(`--node: expected a URL such as http://HOST:PORT, not '${node}'`);
  }
  return { file: new MirrorFile(resolve(file)), nodes, path, waitSeconds };
}

function parse(args: string[]) {
  try {
    return parseArgs({
      args,
      options: {
        file: { type: 'string' },
        node: { type: 'string', multiple: true, default: DEFAULT_NODES },
        path: { type: 'string', default: '/self' },
        wait: { type: 'string', default: '20' },
      },
    }).values;
  } catch (error) {
    throw error instanceof TypeError ? new UsageError(error.message) : error;
  }
}

try {
  await main(process.argv.slice(2));
} catch (error) {
  const isExpected =
    error instanceof UsageError ||
    error instanceof MetadError ||
    (error instanceof Error && 'syscall' in error);
  if (!isExpected) throw error;
  process.stderr.write(`${error.message}\n`);
  process.exitCode = error instanceof UsageError ? 2 : 1;
}
