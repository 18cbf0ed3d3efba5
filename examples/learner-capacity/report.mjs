/** Of what they may use; below it, something else has held them up. */
const BUSY_NODES = 0.9;
/** Above it, what is measured may be the clients and not the nodes. */
const BUSY_CLIENTS = 0.9;

export function describe({ seconds, connections, cores }) {
  return `${connections} clients read /self/node for ${seconds} s; this machine has ${cores} cores`;
}

/**
 * @param {Record<'before' | 'joining' | 'one' | 'both', {
 *   seconds: number, clientsCpu: number, nodes: { perSecond: number, cpu: number | null }[]
 * }>} results
 * @param {import('./cpu-budget.mjs').CpuBudget} budget
 */
export function printTable({ before, joining, one, both }, budget) {
  const rows = [
    ['', 'reads/s', 'node 1', 'learner', 'CPU node 1', 'CPU learner', 'CPU clients'],
    row('node 1, before there is a learner', before),
    row(`node 1, while the learner joins (${joining.seconds.toFixed(1)} s)`, joining),
    row('all clients at node 1 again', one),
    row('clients spread over both', both),
  ];
  const widths = rows[0].map((_, column) => Math.max(...rows.map((cells) => cells[column].length)));
  for (const cells of rows) {
    console.log(
      cells.map((cell, i) => (i === 0 ? cell.padEnd(widths[i]) : cell.padStart(widths[i]))).join('   '),
    );
  }
  console.log(`\nCPU is in cores. ${measured(one, both)}`);
  const results = [one, both];
  if (budget.kind === 'unlimited') console.log(computed(one, both, budget));
  else if (clientsAreBusy(results)) {
    console.log('But the clients were at the limit of a core: the nodes could have answered more.');
  } else if (!nodesAreBusy(results, budget)) {
    console.log('But not all nodes used what they may: something else was busy on this machine, too.');
    console.log(computed(one, both, budget));
  }
}

function clientsAreBusy(results) {
  return results.some(({ clientsCpu }) => clientsCpu > BUSY_CLIENTS);
}

function nodesAreBusy(results, { cores }) {
  return results.every(({ nodes }) => nodes.every(({ cpu }) => cpu === null || cpu > cores * BUSY_NODES));
}

function row(name, { clientsCpu, nodes }) {
  const [voter, learner] = nodes;
  const cells = [voter, learner].map((node) => (node === undefined ? '–' : whole(node.perSecond)));
  const cpu = [voter, learner].map((node) =>
    node === undefined || node.cpu === null ? '–' : node.cpu.toFixed(2),
  );
  return [name, whole(total(nodes)), ...cells, ...cpu, clientsCpu.toFixed(2)];
}

function measured(one, both) {
  const times = total(both.nodes) / total(one.nodes);
  return `With the learner the cluster answered ${times.toFixed(2)} times as many reads.`;
}

/** Says nothing about the machine's other work, which takes from the rate and not from the time per read. */
function computed(one, both, { cores }) {
  const [alone, together] = [one, both].map(({ nodes }) => capacity(nodes, cores));
  if (alone === null || together === null)
    return 'How much processor time each read took is only known on Linux.';
  const each = cores === 1 ? 'a core' : `${cores} of a core`;
  return (
    `By the processor time per read, nodes with ${each} each answer ${whole(alone)} reads/s without and ` +
    `${whole(together)} with the learner: ${(together / alone).toFixed(2)} times as many.`
  );
}

export function total(nodes) {
  return nodes.reduce((sum, { perSecond }) => sum + perSecond, 0);
}

/** What the nodes would answer if each had so much of a core; null where their processor time is not known. */
function capacity(nodes, cores) {
  const each = nodes.map(({ perSecond, cpu }) =>
    cpu === null || cpu === 0 ? null : (perSecond / cpu) * cores,
  );
  return each.includes(null) ? null : each.reduce((sum, value) => sum + value, 0);
}

function whole(value) {
  return Math.round(value).toLocaleString('en-US');
}
