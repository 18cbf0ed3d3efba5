import { resolve } from 'node:path';
import { parseArgs } from 'node:util';

const MAX_NODES = 9;

export const USAGE = `Starts a metad cluster on this machine, and stops it on Ctrl-C.

npm start -- [flags]

  --nodes N           how many nodes, 1 to ${MAX_NODES} (default: 3)
  --fresh             remove the data of earlier starts first
  --no_sample         leave an empty cluster empty
  --data_dir PATH     where data and logs are kept (default: .metad in the repository)
  --metadata_port N   of node 1, the others follow (default: 8080)
  --manage_port N     of node 1, the others follow (default: 9611)
  --cluster_port N    of node 1, the others follow (default: 21001)
  --log_level LEVEL   of the nodes (default: info)
  --help              show this
`;

/** The flags make no sense; the message says why. */
export class UsageError extends Error {}

/**
 * @typedef {object} Options
 * @property {number} nodes
 * @property {boolean} fresh
 * @property {boolean} sample
 * @property {string} dataDir absolute
 * @property {Record<'metadata' | 'manage' | 'cluster', number>} ports of node 1
 * @property {string} logLevel
 */

/**
 * @param {string[]} args
 * @param {string} defaultDataDir
 * @returns {Options | null} null when only help was asked for
 */
export function readOptions(args, defaultDataDir) {
  const values = parse(args.map(withUnderscores));
  if (values.help) return null;
  const nodes = integer('nodes', values.nodes, 1, MAX_NODES);
  const lastFirstPort = 65_535 - (nodes - 1);
  const ports = {
    metadata: integer('metadata_port', values.metadata_port, 1, lastFirstPort),
    manage: integer('manage_port', values.manage_port, 1, lastFirstPort),
    cluster: integer('cluster_port', values.cluster_port, 1, lastFirstPort),
  };
  refuseOverlap(ports, nodes);
  return {
    nodes,
    fresh: values.fresh,
    sample: !values.no_sample,
    dataDir: values.data_dir === undefined ? defaultDataDir : resolve(values.data_dir),
    ports,
    logLevel: values.log_level,
  };
}

function parse(args) {
  try {
    return parseArgs({
      args,
      options: {
        nodes: { type: 'string', default: '3' },
        fresh: { type: 'boolean', default: false },
        no_sample: { type: 'boolean', default: false },
        data_dir: { type: 'string' },
        metadata_port: { type: 'string', default: '8080' },
        manage_port: { type: 'string', default: '9611' },
        cluster_port: { type: 'string', default: '21001' },
        log_level: { type: 'string', default: 'info' },
        help: { type: 'boolean', short: 'h', default: false },
      },
    }).values;
  } catch (error) {
    if (!String(error.code).startsWith('ERR_PARSE_ARGS_')) throw error;
    throw new UsageError(error.message);
  }
}

/** `--data-dir` is as good as `--data_dir`. */
function withUnderscores(arg) {
  return arg.replace(/^--[^=]+/, (flag) => `--${flag.slice(2).replaceAll('-', '_')}`);
}

function integer(name, text, min, max) {
  const value = /^\d+$/.test(text) ? Number(text) : Number.NaN;
  if (value >= min && value <= max) return value;
  throw new UsageError(`--${name}: expected a number from ${min} to ${max}, not '${text}'`);
}

function refuseOverlap(ports, nodes) {
  const sorted = Object.entries(ports).sort(([, a], [, b]) => a - b);
  for (const [index, [name, port]] of sorted.entries()) {
    const [previousName, previousPort] = sorted[index - 1] ?? [];
    if (previousPort !== undefined && port - previousPort < nodes) {
      throw new UsageError(
        `--${previousName}_port ${previousPort} and --${name}_port ${port} overlap: ` +
          `each needs ${nodes} ports in a row`,
      );
    }
  }
}
