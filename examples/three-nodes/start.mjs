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
/** How long the rest is waited for once a majority is ready. */
const LATE_MS = 5_000;
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
  const ready = await untilServing(nodes, signal);
  if (signal.aborted) return;
  const reported = Promise.all(nodes.map((node) => reportEnd(node, signal)));
  const sampled = options.sample && (await loadSampleIfEmpty(`http://${HOST}:${ready[0].plan.ports.manage}`));
  const leader = await currentLeader(nodes);
  if (signal.aborted) return;
  say(overview(nodes, { leader, sampled, dataDir: shown(options.dataDir) }));
  await Promise.race([
    followLeader(nodes, leader, ({ id, term }) => say(`Node ${id} leads now, in term ${term}.`), signal),
    reported,
  ]);
  if (!signal.aborted) throw new ClusterError('No node is left.');
}

/**
 * The nodes that serve: all of them, or a majority when the rest keeps waiting for more than a little. A node that has
 * been taken out of the cluster never becomes ready.
 */
async function untilServing(nodes, signal) {
  const ready = [];
  const all = Promise.all(nodes.map((node) => untilReady(node, signal).then(() => ready.push(node))));
  const notReady = () => nodes.filter((node) => !ready.includes(node));
  const deadline = Date.now() + READY_TIMEOUT_MS;
  while (ready.length * 2 <= nodes.length && !signal.aborted) {
    if (Date.now() > deadline) throw new ClusterError(noMajority(notReady()));
    await Promise.race([all, delay(READY_POLL_MS)]);
  }
  await Promise.race([all, delay(LATE_MS, undefined, { ref: false })]);
  all.catch(() => undefined); // from here on, reportEnd tells when a node ends
  for (const { plan } of signal.aborted ? [] : notReady()) {
    complain(`Node ${plan.id} is not ready; it may have left the cluster. Log: ${shown(plan.logFile)}`);
  }
  return ready;
}

function noMajority(nodes) {
  const tails = nodes.map(
    (node) => `Node ${node.plan.id}, ${node.plan.logFile}, ends with:\n${node.logTail()}`,
  );
  return `Too few nodes were ready within ${READY_TIMEOUT_MS / 1000} s.\n${tails.join('\n')}`;
}

/** Throws a ClusterError when the node ends instead. */
async function untilReady(node, signal) {
  let ended = null;
  node.ended.then((how) => {
    ended = how;
  });
  while (!signal.aborted) {
    if (ended !== null)
      throw new ClusterError(
        `Node ${node.plan.id} did not start (${ended}). Its log ends with:\n${node.logTail()}`,
      );
    if (await isReady(node.plan.ports.manage)) return;
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

/** Whoever reads the output may be gone; the nodes go on, and are stopped in order. */
function goOnUnread() {
  for (const stream of [process.stdout, process.stderr]) {
    stream.on('error', (error) => {
      if (error.code !== 'EPIPE' && error.code !== 'EIO') throw error;
    });
  }
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

goOnUnread();
try {
  process.exit(await main());
} catch (error) {
  if (error instanceof UsageError) complain(`${error.message}\n\n${USAGE}`);
  else complain(error instanceof ClusterError || error instanceof SampleError ? error.message : error.stack);
  process.exit(error instanceof UsageError ? 2 : 1);
}
