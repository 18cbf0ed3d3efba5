// Runs every cell, for its speed or for what it allocates; prints the figures as JSON. Started by bench.mjs.

import { BareArrays } from './bare-arrays.mjs';
import { Cluster } from './cluster.mjs';
import { allocatedEach, perSecond } from './sample.mjs';

const COMMAND = new Uint8Array(100);

const propose = (cluster, batch) => {
  for (let i = 0; i < batch; i += 1) cluster.propose(COMMAND);
  cluster.settle();
};
const readOn = (id) => (cluster, batch) => {
  for (let i = 0; i < batch; i += 1) cluster.read(id);
  cluster.settle();
};

const THREE = { voters: 3, learners: 0 };
const MANY = { voters: 5, learners: 50 };
const CELLS = [
  { name: 'proposals, 3 voters', size: THREE, batch: 1, turn: propose },
  { name: 'proposals, 3 voters', size: THREE, batch: 256, turn: propose },
  { name: 'proposals, 5 voters and 50 learners', size: MANY, batch: 1, turn: propose },
  { name: 'proposals, 5 voters and 50 learners', size: MANY, batch: 256, turn: propose },
  { name: 'reads on the leader, 3 voters', size: THREE, batch: 1, turn: readOn(1) },
  { name: 'reads on the leader, 3 voters', size: THREE, batch: 256, turn: readOn(1) },
  { name: 'reads on a follower, 3 voters', size: THREE, batch: 256, turn: readOn(2) },
  { name: 'reads on the leader, 5 voters and 50 learners', size: MANY, batch: 256, turn: readOn(1) },
];

function speedOf({ name, size, batch, turn }) {
  const bare = new BareArrays(size);
  const cluster = new Cluster(size);
  const [limit, speed] = perSecond(batch, [() => turn(bare, batch), () => turn(cluster, batch)]);
  cluster.assertDone();
  return { name, batch, perSecond: speed, barePerSecond: limit };
}

function allocationOf({ name, size, batch, turn }) {
  const bare = new BareArrays(size);
  const cluster = new Cluster(size);
  const [bareBytes, bytes] = allocatedEach(batch, [() => turn(bare, batch), () => turn(cluster, batch)]);
  cluster.assertDone();
  return { name, batch, bytes, bareBytes };
}

const measure = { speed: speedOf, allocation: allocationOf }[process.argv[2]];
process.stdout.write(JSON.stringify(CELLS.map(measure)));
