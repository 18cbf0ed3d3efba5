import { HOST } from './node-process.mjs';

const url = (port) => `http://${HOST}:${port}`;

/**
 * What is running, and three lines to try.
 *
 * @param {import('./node-process.mjs').NodeProcess[]} nodes
 * @param {{ leader: import('./leader.mjs').Leader | null, sampled: boolean, dataDir: string }} state
 */
export function overview(nodes, { leader, sampled, dataDir }) {
  const ports = nodes.map(({ plan }) => plan.ports);
  const [first, second, third] = [ports[0], ports[1] ?? ports[0], ports[2] ?? ports[0]];
  return `
${addresses(nodes)}

${leader === null ? 'No node leads yet.' : `Node ${leader.id} leads, in term ${leader.term}.`}
${sampled ? 'A sample is loaded: three hosts of a small shop; this machine plays one of them, web-1.' : 'The cluster keeps what it holds; no sample is loaded.'}
Data and logs: ${dataDir}/node-1, ${dataDir}/node-1.log …

Worth trying:

  curl ${url(first.metadata)}/self
      what the cluster tells this machine about itself: its node, its role, its cluster

  curl -i '${url(second.metadata)}/self/cluster/release?wait=true'
      waits until that changes, on ${second === first ? 'the node' : 'another node'}; leave it running and, in a second terminal:

  curl -X PUT -d '{"release":"2.5.0"}' ${url(third.manage)}/v1/data/clusters/shop
      changes it${third === first ? '' : ' through the third node'}; the wait ends with the new value and its X-Metad-Version

Ctrl-C stops ${nodes.length === 1 ? 'the node' : 'all nodes'}.`.slice(1);
}

function addresses(nodes) {
  const rows = nodes.map(({ plan: { id, ports } }) => [`${id}`, ...Object.values(ports).map(url)]);
  return [['Node', 'Metadata API', 'Manage API', 'Cluster API'], ...rows]
    .map(([id, ...urls]) => `${id.padEnd(6)}${urls.map((text) => text.padEnd(24)).join('')}`.trimEnd())
    .join('\n');
}
