/**
 * Keeps a file in step with /self, through failures of nodes.
 *
 *     npm start                                             a cluster to watch, in another terminal
 *     node examples/watcher/dist/watch.js --file self.json
 *     curl -X PUT -d '{"release":"3.0.0"}' http://127.0.0.1:9611/v1/data/clusters/shop
 *
 *     --file PATH       the file; removed while this client is shown nothing (404)
 *     --node URL        metadata address of a node; give one for each (default: the three of npm start)
 *     --path PATH       what to follow (default: /self)
 *     --format FORMAT   json, yaml or text (default: json)
 *     --wait SECONDS    how long a node holds a request in which nothing happens (default: 20)
 *
 * The file is replaced as a whole, so a reader never sees half of it, and never by something older than it holds: not
 * when a node fails, not when the next one is behind, not after a restart of this program. SIGINT and SIGTERM end it.
 *
 * `npm run build` compiles it; it needs nothing but Node.
 */
import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { type FollowEvent, type FollowOptions, follow } from './follow.ts';
import { MirrorFile } from './mirror-file.ts';

const DEFAULT_NODES = ['http://127.0.0.1:8080', 'http://127.0.0.1:8081', 'http://127.0.0.1:8082'];
const MEDIA_TYPES: Readonly<Record<string, string>> = {
  json: 'application/json',
  yaml: 'application/yaml',
  text: 'text/plain',
};
const MAX_WAIT_SECONDS = 600;

/** The flags make no sense; the message says why. */
class UsageError extends Error {}

async function main(args: string[]): Promise<void> {
  const stop = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => stop.abort());
  await follow({ ...readOptions(args), signal: stop.signal, report });
}

function readOptions(args: string[]): Omit<FollowOptions, 'signal' | 'report'> {
  const { file, node: nodes, path, format, wait } = parse(args);
  if (file === undefined) throw new UsageError('--file is missing: the file to keep');
  const accept = MEDIA_TYPES[format];
  if (accept === undefined) throw new UsageError(`--format: expected json, yaml or text, not '${format}'`);
  const waitSeconds = /^\d+$/.test(wait) ? Number(wait) : 0;
  if (waitSeconds < 1 || waitSeconds > MAX_WAIT_SECONDS) {
    throw new UsageError(`--wait: expected seconds from 1 to ${MAX_WAIT_SECONDS}, not '${wait}'`);
  }
  for (const node of nodes) {
    if (!URL.canParse(node))
      throw new UsageError(`--node: expected a URL such as http://HOST:PORT, not '${node}'`);
  }
  return {
    nodes,
    path: `/${path.replace(/^\/+/, '')}`,
    accept,
    file: new MirrorFile(resolve(file)),
    waitSeconds,
  };
}

function parse(args: string[]) {
  try {
    return parseArgs({
      args,
      options: {
        file: { type: 'string' },
        node: { type: 'string', multiple: true, default: DEFAULT_NODES },
        path: { type: 'string', default: '/self' },
        format: { type: 'string', default: 'json' },
        wait: { type: 'string', default: '20' },
      },
    }).values;
  } catch (error) {
    throw error instanceof TypeError ? new UsageError(error.message) : error;
  }
}

function report(event: FollowEvent): void {
  if (event.type === 'failed') {
    process.stderr.write(`${event.node} ${event.reason}; trying the next node in ${event.retryMs} ms\n`);
  } else process.stdout.write(`${event.type} at version ${event.version} from ${event.node}\n`);
}

try {
  await main(process.argv.slice(2));
} catch (error) {
  const isExpected = error instanceof UsageError || (error instanceof Error && 'syscall' in error);
  if (!isExpected) throw error;
  process.stderr.write(`${error.message}\n`);
  process.exitCode = error instanceof UsageError ? 2 : 1;
}
