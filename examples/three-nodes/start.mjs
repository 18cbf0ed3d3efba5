/**
 * Runs a metad cluster on this machine until Ctrl-C:
 *
 *     npm start                          three nodes; their data stays in .metad/ for the next start
 *     npm start -- --nodes 1 --fresh     one node, without what earlier starts left
 *     npm start -- --help                all flags
 *
 * It needs a built checkout (`npm start` builds first) and nothing but Node.
 */
import { once } from 'node:events';
import { relative } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { prepareDataDir } from './data-dir.mjs';
import { currentLeader, followLeader } from './leader.mjs';
import { ClusterError, HOST, NodeProcess, planNodes } from './node-process.mjs';
import { readOptions, USAGE, UsageError } from './options.mjs';
import { overview } from './overview.mjs';
import { unusablePorts } from './ports.mjs';
import { loadSampleIfEmpty, SampleError } from './sample.mjs';

const DEFAULT_DATA_DIR = fileURLToPath(new URL('../../.metad', import.meta.url));
const READY_TIMEOUT_MS = 60_000;
const READY_POLL_MS = 100;

const say = (text) => process.stdout.write(`${text}\n`);
const complain = (text) => process.stderr.write(`${text}\n`);
const count = (number) => (number === 1 ? 'one node' : `${number} nodes`);

/** Returns the exit code. */
async function main() {
  const options = readOptions(process.argv.slice(2), DEFAULT_DATA_DIR);
  if (options === null) {
    say(USAGE);
    return 0;
  }
  const plans = planNodes(options);
  const unusable = await unusablePorts(plans);
  if (unusable.length > 0) throw new ClusterError(`Is a cluster running already?\n${unusable.join('\n')}`);
  const hadData = prepareDataDir(options);
  say(`Starting ${count(plans.length)}${hadData ? ' on the data of an earlier start' : ''} …`);

  const stopping = new AbortController();
  const nodes = plans.map((plan) => new NodeProcess(plan));
  stopOnSignals(stopping, nodes);
  try {
    await Promise.race([run(nodes, options, stopping.signal), once(stopping.signal, 'abort')]);
  } finally {
    stopping.abort();
    await stopAll(nodes);
  }
  return 0;
}

/** Returns once stopping has begun; throws a ClusterError when there is no cluster. */
async function run(nodes, options, signal) {
  await Promise.all(nodes.map((node) => untilReady(node, signal)));
  if (signal.aborted) return;
  const reported = Promise.all(nodes.map((node) => reportEnd(node, signal)));
  const sampled = options.sample && (await loadSampleIfEmpty(`http://${HOST}:${nodes[0].plan.ports.manage}`));
  const leader = await currentLeader(nodes);
  if (signal.aborted) return;
  say(overview(nodes, { leader, sampled, dataDir: shown(options.dataDir) }));
  await Promise.race([
    followLeader(nodes, leader, ({ id, term }) => say(`Node ${id} leads now, in term ${term}.`), signal),
    reported,
  ]);
  if (!signal.aborted) throw new ClusterError('No node is left.');
}

async function untilReady(node, signal) {
  const { id, ports, logFile } = node.plan;
  const deadline = Date.now() + READY_TIMEOUT_MS;
  let ended = null;
  node.ended.then((how) => {
    ended = how;
  });
  while (!signal.aborted) {
    if (ended !== null)
      throw new ClusterError(`Node ${id} did not start (${ended}). Its log ends with:\n${node.logTail()}`);
    if (await isReady(ports.manage)) return;
    if (Date.now() > deadline) {
      const waited = READY_TIMEOUT_MS / 1000;
      throw new ClusterError(
        `Node ${id} was not ready within ${waited} s. Its log, ${logFile}, ends with:\n${node.logTail()}`,
      );
    }
    await delay(READY_POLL_MS);
  }
}

async function isReady(port) {
  try {
    const response = await fetch(`http://${HOST}:${port}/ready`, { signal: AbortSignal.timeout(2000) });
    await response.arrayBuffer();
    return response.status === 200;
  } catch {
    // Nobody listens there yet; whether the node still lives is seen from its process.
    return false;
  }
}

/** Says so when a node ends that should not; the others go on without it. */
async function reportEnd(node, signal) {
  const how = await node.ended;
  if (signal.aborted) return;
  complain(
    `Node ${node.plan.id} has ended unexpectedly (${how}); the others go on. Log: ${shown(node.plan.logFile)}`,
  );
  complain(`To start it again:\n  ${node.commandLine()}`);
}

/** The first signal ends everything in order, the second one at once. */
function stopOnSignals(stopping, nodes) {
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
    process.on(signal, () => {
      if (stopping.signal.aborted) for (const node of nodes) node.kill();
      stopping.abort();
    });
  }
}

async function stopAll(nodes) {
  const running = nodes.filter((node) => node.running);
  if (running.length === 0) return;
  say(`\nStopping ${count(running.length)} …`);
  // One after the other, so that each can hand its leadership to one that is still there.
  for (const node of running) {
    if (!(await node.stop())) complain(`Node ${node.plan.id} did not stop in time and was killed.`);
  }
  say('Stopped.');
}

/** As short as it can be typed here. */
function shown(path) {
  const short = relative(process.cwd(), path);
  return short.startsWith('..') ? path : short || '.';
}

try {
  process.exit(await main());
} catch (error) {
  if (error instanceof UsageError) complain(`${error.message}\n\n${USAGE}`);
  else complain(error instanceof ClusterError || error instanceof SampleError ? error.message : error.stack);
  process.exit(error instanceof UsageError ? 2 : 1);
}
