import { expect, test } from 'vitest';
import { describeForeign, type Identified } from '../src/metadctl/foreign.ts';

const at = (index: number, term = 2) => ({ log_id: { leader_id: { term }, index } });
const asked: Identified = {
  id: 1,
  cluster: 'c',
  instance: 'one',
  instances: { 1: 'one', 2: 'two', 3: null },
  membership_config: at(5),
};
const two: Identified = { ...asked, id: 2, instance: 'two' };

test.each([
  ['the member', 2, two],
  [
    'a member that has not heard from its cluster yet',
    2,
    { ...two, cluster: null, membership_config: { log_id: null } },
  ],
  ['a member whose disk is not recorded', 3, { ...asked, id: 3, instance: 'three' }],
  [
    'a disk that has replaced the one that is known',
    2,
    { ...two, instance: 'new', membership_config: at(6) },
  ],
  ['the same, of a later term', 2, { ...two, instance: 'new', membership_config: at(4, 3) }],
])('%s is itself', (_, id, found) => {
  expect(describeForeign(id, found, asked)).toBeNull();
});

test.each([
  ['another cluster', { ...two, cluster: 'd', membership_config: at(99) }, 'of another cluster (d)'],
  ['another node', { ...two, id: 7 }, 'node 7 answers there'],
  [
    'a wiped disk',
    { ...two, instance: 'wiped', membership_config: { log_id: null } },
    'another data directory',
  ],
  ['an old disk', { ...two, instance: 'old', membership_config: at(4) }, 'another data directory'],
])('%s is not', (_, found, reason) => {
  expect(describeForeign(2, found, asked)).toContain(reason);
});
