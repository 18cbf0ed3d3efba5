import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ClusterError } from './node-process.mjs';

const RECORD = 'cluster.json';
const OWN_NAMES = /^(?:node-\d+(?:\.log)?|cluster\.json)$/;

/**
 * Makes `dataDir` ready for a cluster of this shape; with `fresh`, whatever earlier starts left is removed. A cluster
 * knows its nodes by id and address, so data of one shape does not fit another.
 *
 * @param {import('./options.mjs').Options} options
 * @returns {boolean} whether the nodes will find data of an earlier start
 */
export function prepareDataDir({ dataDir, nodes, ports, fresh }) {
  mkdirSync(dataDir, { recursive: true });
  if (fresh) removeOwn(dataDir);
  const record = join(dataDir, RECORD);
  const shape = { nodes, clusterPort: ports.cluster };
  if (!existsSync(record)) {
    const stray = readdirSync(dataDir).filter((name) => OWN_NAMES.test(name) && !name.endsWith('.log'));
    if (stray.length > 0) throw mismatch(dataDir, 'does not say what cluster its data is of');
    writeFileSync(record, `${JSON.stringify(shape)}\n`);
    return false;
  }
  const formed = readRecord(record);
  if (formed === null) throw mismatch(dataDir, 'does not say what cluster its data is of');
  if (formed.nodes !== nodes) {
    throw mismatch(dataDir, `holds a cluster of ${formed.nodes}, not ${nodes}`, `--nodes ${formed.nodes}`);
  }
  if (formed.clusterPort !== ports.cluster) {
    const fitting = `--cluster_port ${formed.clusterPort}`;
    throw mismatch(dataDir, `holds a cluster with cluster ports from ${formed.clusterPort}`, fitting);
  }
  return true;
}

function mismatch(dataDir, what, fitting) {
  const keep = fitting === undefined ? '' : `give ${fitting} to go on with it, or `;
  return new ClusterError(`${dataDir} ${what}: ${keep}give --fresh to remove the data and start anew`);
}

function readRecord(record) {
  try {
    const { nodes, clusterPort } = JSON.parse(readFileSync(record, 'utf8'));
    return Number.isInteger(nodes) && Number.isInteger(clusterPort) ? { nodes, clusterPort } : null;
  } catch (error) {
    if (error instanceof SyntaxError) return null;
    throw error;
  }
}

/** Only what a start has made: a directory given by hand may hold other things. */
function removeOwn(dataDir) {
  for (const name of readdirSync(dataDir)) {
    if (OWN_NAMES.test(name)) rmSync(join(dataDir, name), { recursive: true });
  }
}
