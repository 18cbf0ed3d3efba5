import { availableParallelism } from 'node:os';
import { parseArgs } from 'node:util';

export const USAGE = `Measures how many reads one node answers, adds a learner while it is loaded, and measures, in turns, the
one node again and both.

    node examples/learner-capacity/run.mjs

    --seconds N       how long each measurement takes (default: 5)
    --connections N   clients, each with one request under way (default: 32)
    --share S         of a core that each node may use, where there are too few cores to give it one (default: 0.4)
    --port PORT       the first of six ports on 127.0.0.1 (default: 18080)

One core for each node needs three cores and taskset: the third is for the clients. With fewer, each node gets a share of
one by a cgroup, which needs root. With neither, the nodes and the clients take from each other what they need, and what a
core could answer is worked out from the processor time that the nodes have used.
`;

/** The flags make no sense; the message says why. */
export class UsageError extends Error {}

/**
 * @param {string[]} args
 * @returns {{ seconds: number, connections: number, share: number, port: number, cores: number, help: boolean }}
 */
export function readOptions(args) {
  const { seconds, connections, share, port, help } = parse(args);
  return {
    seconds: positive('seconds', seconds),
    connections: positive('connections', connections, { multipleOf: 2, max: 1000 }),
    share: positive('share', share, { max: 1 }),
    port: positive('port', port, { multipleOf: 1, max: 65_530 }),
    cores: availableParallelism(),
    help,
  };
}

function parse(args) {
  try {
    return parseArgs({
      args,
      options: {
        seconds: { type: 'string', default: '5' },
        connections: { type: 'string', default: '32' },
        share: { type: 'string', default: '0.4' },
        port: { type: 'string', default: '18080' },
        help: { type: 'boolean', default: false },
      },
    }).values;
  } catch (error) {
    throw error instanceof TypeError ? new UsageError(error.message) : error;
  }
}

function positive(name, text, { multipleOf = null, max = Number.MAX_SAFE_INTEGER } = {}) {
  const value = Number(text);
  const fits = value > 0 && value <= max && (multipleOf === null || value % multipleOf === 0);
  if (fits) return value;
  const kind = multipleOf === 2 ? 'an even number' : multipleOf === 1 ? 'a whole number' : 'a number';
  throw new UsageError(`--${name}: expected ${kind} above 0 and at most ${max}, not '${text}'`);
}
