import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/**
 * @typedef {object} CpuBudget What a node may use.
 * @property {'core' | 'share' | 'unlimited'} kind
 * @property {number} cores how much of a core that is; 1 when it is unlimited
 * @property {string} words
 * @property {(node: number, command: string[]) => string[]} command what starts a program within it
 * @property {() => void} release removes what was made for it, once the nodes have ended
 */

const CGROUPS = '/sys/fs/cgroup';
/** Short, so that a node that has used its share is not held up long enough to be taken for dead. */
const PERIOD_US = 10_000;

/**
 * The best that this machine allows: a core for each node and one for the clients, else a share of one, else nothing.
 *
 * @param {{ nodes: number, cores: number, share: number }} options
 * @returns {CpuBudget}
 */
export function cpuBudget({ nodes, cores, share }) {
  if (cores > nodes && hasTaskset()) return ownCores(nodes, cores);
  return cgroupShares(nodes, share) ?? unlimited();
}

function hasTaskset() {
  try {
    execFileSync('taskset', ['--version'], { stdio: 'ignore' });
    return true;
  } catch (error) {
    if (error.code === 'ENOENT') return false;
    throw error;
  }
}

/** Node 1 gets the first core and so on; this process, which is the clients, what is left. */
function ownCores(nodes, cores) {
  execFileSync('taskset', ['--all-tasks', '--cpu-list', '--pid', `${nodes}-${cores - 1}`, `${process.pid}`], {
    stdio: 'ignore',
  });
  return {
    kind: 'core',
    cores: 1,
    words: `each node has a core of its own, the clients have ${cores - nodes}`,
    command: (node, command) => ['taskset', '--cpu-list', `${node - 1}`, ...command],
    release: () => undefined,
  };
}

/** Null where no cgroup can be made. */
function cgroupShares(nodes, share) {
  const groups = Array.from({ length: nodes }, (_, i) => `metad-learner-capacity-${process.pid}-${i + 1}`);
  const made = [];
  const release = () => {
    for (const folder of made.splice(0)) rmdirSync(folder);
  };
  try {
    for (const group of groups) {
      const folder = join(cpuHierarchy(), group);
      mkdirSync(folder);
      made.push(folder);
      limit(folder, Math.round(share * PERIOD_US));
    }
  } catch (error) {
    // No root, no cgroups, or none that may be changed here.
    if (error.syscall === undefined) throw error;
    release();
    return null;
  }
  const folders = [...made];
  return {
    kind: 'share',
    cores: share,
    words: `each node may use ${share} of a core, the clients have the rest`,
    // The shell joins the group before it becomes the program.
    command: (node, command) => [
      'sh',
      '-c',
      `echo $$ > '${folders[node - 1]}/cgroup.procs' && exec "$@"`,
      'sh',
      ...command,
    ],
    release,
  };
}

/** Where groups with a limit of processor time are made: version 1 has a tree for it, version 2 one for everything. */
function cpuHierarchy() {
  return existsSync(join(CGROUPS, 'cgroup.controllers')) ? CGROUPS : join(CGROUPS, 'cpu');
}

function limit(folder, quotaUs) {
  if (existsSync(join(folder, 'cpu.cfs_quota_us'))) {
    writeFileSync(join(folder, 'cpu.cfs_period_us'), `${PERIOD_US}`);
    writeFileSync(join(folder, 'cpu.cfs_quota_us'), `${quotaUs}`);
  } else {
    // Without r+ a controller that is not switched on here would look like success.
    readFileSync(join(folder, 'cpu.max'));
    writeFileSync(join(folder, 'cpu.max'), `${quotaUs} ${PERIOD_US}`);
  }
}

function unlimited() {
  return {
    kind: 'unlimited',
    cores: 1,
    words: 'nodes and clients share all cores: there are too few for one each, and no cgroup can be made',
    command: (_, command) => command,
    release: () => undefined,
  };
}
