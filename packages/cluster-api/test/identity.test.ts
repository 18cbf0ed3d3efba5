import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Store } from '@metad/kv-store';
import { EMPTY_MEMBERSHIP, type LogId, logIndex, nodeId, term, ZERO_LOG_ID } from '@metad/raft-core';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { loadConfig } from '../src/config/load-config.ts';
import type { NodeConfig } from '../src/config/node-config.ts';
import { admitPeer, describeForeignCluster, establishIdentity, IdentityError } from '../src/identity.ts';

let dir: string;

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'metad-identity-'));
});

afterEach(() => rmSync(dir, { recursive: true }));

function config(...args: string[]): NodeConfig {
  const outcome = loadConfig(args, {});
  if (outcome.type !== 'config') throw new Error(outcome.output);
  return outcome.config;
}

function withStore<T>(name: string, use: (store: Store) => T): T {
  const store = Store.open(join(dir, name));
  try {
    return use(store);
  } finally {
    store.close();
  }
}

const INITIAL = '1=127.0.0.1:1,2=127.0.0.1:2,3=127.0.0.1:3';

describe('a node with an empty data directory', () => {
  test('founds a cluster of one by default', () => {
    withStore('a', (store) => {
      const identity = establishIdentity(store, config('--id', '7'), '127.0.0.1:9');
      const [stored] = store.initialState().memberships;
      expect(stored?.membership).toEqual({
        configs: [[7]],
        nodes: new Map([[7, { addr: '127.0.0.1:9', instance: identity.instance }]]),
      });
      expect(identity.cluster).not.toBeNull();
    });
  });

  test('two clusters of one are different clusters', () => {
    const [a, b] = ['a', 'b'].map((name) =>
      withStore(name, (store) => establishIdentity(store, config(), 'x:1')),
    );
    expect(a?.cluster).not.toBe(b?.cluster);
  });

  test('that is then told to be of an initial cluster says that it goes on in its own', () => {
    const alone = withStore('a', (store) => establishIdentity(store, config(), '127.0.0.1:1'));
    const told = config('--initial_cluster', INITIAL);
    expect(describeForeignCluster(config(), alone)).toBeNull();
    expect(describeForeignCluster(told, alone)).toMatch(/was not formed by this --initial_cluster/);
    const member = withStore('b', (store) => establishIdentity(store, told, '127.0.0.1:1'));
    expect(describeForeignCluster(told, member)).toBeNull();
  });

  test('the members of an initial cluster come to the same id and the same first entry', () => {
    const shuffled = '3=127.0.0.1:3,1=127.0.0.1:1,2=127.0.0.1:2';
    const [one, two] = [
      ['1', INITIAL],
      ['2', shuffled],
    ].map(([id = '', members = '']) =>
      withStore(id, (store) => {
        const identity = establishIdentity(store, config('--id', id, '--initial_cluster', members), 'x:1');
        return { identity, state: store.initialState() };
      }),
    );
    expect(one?.identity.cluster).toBe(two?.identity.cluster);
    expect(one?.state).toEqual(two?.state);
    expect(one?.identity.instance).not.toBe(two?.identity.instance);
  });

  test.each([['--standby'], ['--join=127.0.0.1:21001']])('with %s it belongs to nothing yet', (flag) => {
    withStore('a', (store) => {
      expect(establishIdentity(store, config(flag), 'x:1').cluster).toBeNull();
      expect(store.initialState().memberships).toEqual([]);
    });
  });
});

describe('a node with data', () => {
  test('goes on with what it has, whatever the flags say about how to begin', () => {
    const first = withStore('a', (store) => establishIdentity(store, config('--standby'), 'x:1'));
    withStore('a', (store) => {
      expect(establishIdentity(store, config('--initial_cluster', INITIAL), 'x:1')).toEqual(first);
      expect(store.log.lastLog.index).toBe(0);
    });
  });

  test('refuses another id and names the right one', () => {
    withStore('a', (store) => {
      establishIdentity(store, config('--id', '1'), 'x:1');
      expect(() => establishIdentity(store, config('--id', '2'), 'x:1')).toThrow(IdentityError);
      expect(() => establishIdentity(store, config('--id', '2'), 'x:1')).toThrow('--id 1');
    });
  });
});

describe('a peer', () => {
  const at = (index: number): LogId => ({ term: term(1), leader: nodeId(1), index: logIndex(index) });
  const self = { node: nodeId(1), instance: 'one', cluster: 'c' };
  const members = {
    configs: [[nodeId(1), nodeId(2)]],
    nodes: new Map([[nodeId(2), { addr: 'x:2', instance: 'two' }]]),
  };
  const stored = { logId: at(5), membership: members };
  const known = { membership: stored, committedMembership: stored };
  const levels = { known: 1, allowed: 1 };
  const peer = { node: nodeId(2), instance: 'two', run: 'r', cluster: 'c', membership: at(5), levels };
  const stranger = { ...peer, node: nodeId(9) };

  test.each([
    ['a member', peer, 'admitted'],
    ['a member that has not noticed yet', { ...peer, cluster: null, membership: ZERO_LOG_ID }, 'admitted'],
    ['a member that this node has not heard of', { ...stranger, membership: at(6) }, 'admitted'],
    ['a node that was removed', stranger, 'no member of this cluster'],
    ['a node that does not know that it was removed', { ...stranger, membership: at(2) }, 'no member'],
    ['another disk under a known id', { ...peer, instance: 'wiped' }, 'another data directory'],
    [
      'an empty disk under a known id',
      { ...peer, instance: 'wiped', membership: ZERO_LOG_ID },
      'another data',
    ],
    ['a disk that replaced the known one', { ...peer, instance: 'new', membership: at(6) }, 'admitted'],
    ['a node of another cluster', { ...peer, cluster: 'd' }, 'another cluster'],
    [
      'a node of another cluster, however late its membership',
      { ...peer, instance: 'x', cluster: 'd', membership: at(99) },
      'another cluster',
    ],
    [
      'a standby that nobody added',
      { ...stranger, cluster: null, membership: ZERO_LOG_ID },
      'has not been added',
    ],
    ['a node with the same id', { ...peer, node: nodeId(1) }, 'two nodes have the id 1'],
  ])('%s', (_, who, verdict) => {
    const admission = admitPeer(self, who, known);
    if (verdict === 'admitted') expect(admission).toEqual({ type: 'admitted' });
    else expect(admission).toMatchObject({ type: 'refused', reason: expect.stringContaining(verdict) });
  });

  test.each([
    ['that was removed is told by which membership', stranger, at(5)],
    ['whose id has another disk, too', { ...peer, instance: 'wiped' }, at(5)],
    ['of another cluster is not', { ...stranger, cluster: 'd' }, null],
    ['that nobody added is not', { ...stranger, cluster: null, membership: ZERO_LOG_ID }, null],
  ])('%s', (_, who, without) => {
    expect(admitPeer(self, who, known)).toMatchObject({ type: 'refused', without });
  });

  test('whose removal is not committed is not told that it was removed', () => {
    const other = { ...peer, instance: 'wiped' };
    const without = { logId: at(6), membership: { configs: [[nodeId(1)]], nodes: new Map() } };
    const wiped = {
      logId: at(5),
      membership: { ...members, nodes: new Map([[nodeId(2), { addr: 'x:2' }]]) },
    };
    const later = { logId: at(7), membership: members };
    expect(admitPeer(self, other, { membership: without, committedMembership: wiped }).type).toBe('admitted');
    expect(admitPeer(self, other, { membership: later, committedMembership: wiped })).toMatchObject({
      type: 'refused',
      without: null,
    });
  });

  test('that is leaving is let in until its removal is committed', () => {
    const without = { logId: at(6), membership: { configs: [[nodeId(1)]], nodes: new Map() } };
    const admitted = (committedMembership: typeof stored) =>
      admitPeer(self, peer, { membership: without, committedMembership }).type;
    expect(admitted(stored)).toBe('admitted');
    expect(admitted(without)).toBe('refused');
  });

  test('that is a member is let in by a standby', () => {
    const nothing = { logId: ZERO_LOG_ID, membership: EMPTY_MEMBERSHIP };
    const standby = { ...self, cluster: null };
    expect(admitPeer(standby, peer, { membership: nothing, committedMembership: nothing })).toEqual({
      type: 'admitted',
    });
  });
});
