import { version } from '@metad/kv-store';
import { EMPTY_MEMBERSHIP, type Entry, logIndex, nodeId, type Payload, term } from '@metad/raft-core';
import { describe, expect, test } from 'vitest';
import { Proposals } from '../src/consensus/proposals.ts';

const blank: Payload = { type: 'blank' };

function entry(at: { term: number; index: number; payload?: Payload }): Entry {
  return { term: term(at.term), leader: nodeId(1), index: logIndex(at.index), payload: at.payload ?? blank };
}

function membershipEntry(at: { term: number; index: number; configs: number[][] }): Entry {
  const membership = { configs: at.configs.map((config) => config.map(nodeId)), nodes: new Map() };
  return entry({ ...at, payload: { type: 'membership', membership } });
}

function settle(proposals: Proposals, applied: Entry): void {
  proposals.settle(applied, { type: 'applied', version: version(7) }, EMPTY_MEMBERSHIP);
}

describe('a proposal', () => {
  test('is done when its own entry is applied', async () => {
    const proposals = new Proposals();
    const outcome = proposals.track({
      logId: entry({ term: 2, index: 5 }),
      awaits: 'entry',
      deadlineTick: 10,
    });
    settle(proposals, entry({ term: 2, index: 4 }));
    settle(proposals, entry({ term: 2, index: 5 }));
    expect(await outcome).toMatchObject({
      type: 'done',
      logId: { term: 2, index: 5 },
      result: { version: 7 },
    });
    expect(proposals.size).toBe(0);
  });

  test('is definitely refused when another term has an entry at its index', async () => {
    const proposals = new Proposals();
    const outcome = proposals.track({
      logId: entry({ term: 2, index: 5 }),
      awaits: 'entry',
      deadlineTick: 10,
    });
    settle(proposals, entry({ term: 3, index: 5 }));
    expect(await outcome).toMatchObject({ type: 'refused', error: { type: 'forwardToLeader' } });
  });

  test('is unknown when its entry is overwritten in this log only: another node may bring it back', async () => {
    const proposals = new Proposals();
    const first = proposals.track({ logId: entry({ term: 2, index: 5 }), awaits: 'entry', deadlineTick: 10 });
    const second = proposals.track({
      logId: entry({ term: 4, index: 5 }),
      awaits: 'entry',
      deadlineTick: 20,
    });
    expect(await first).toMatchObject({ type: 'unknown' });
    settle(proposals, entry({ term: 4, index: 5 }));
    expect(await second).toMatchObject({ type: 'done' });
  });

  test('is unknown when its time is over, and what came later goes on', async () => {
    const proposals = new Proposals();
    const early = proposals.track({ logId: entry({ term: 1, index: 1 }), awaits: 'entry', deadlineTick: 3 });
    const late = proposals.track({ logId: entry({ term: 1, index: 2 }), awaits: 'entry', deadlineTick: 4 });
    proposals.expire(3);
    expect(await early).toMatchObject({ type: 'unknown' });
    expect(proposals.size).toBe(1);
    settle(proposals, entry({ term: 1, index: 1 }));
    settle(proposals, entry({ term: 1, index: 2 }));
    expect(await late).toMatchObject({ type: 'done' });
  });

  test('is unknown when the node stops', async () => {
    const proposals = new Proposals();
    const outcome = proposals.track({
      logId: entry({ term: 1, index: 1 }),
      awaits: 'entry',
      deadlineTick: 3,
    });
    const change = proposals.track({
      logId: entry({ term: 1, index: 2 }),
      awaits: 'uniformMembership',
      deadlineTick: 3,
    });
    proposals.abandon();
    expect((await Promise.all([outcome, change])).map(({ type }) => type)).toEqual(['unknown', 'unknown']);
    expect(proposals.size).toBe(0);
  });
});

describe('a change of membership', () => {
  test('is done with the first uniform config, not with the joint one', async () => {
    const proposals = new Proposals();
    const outcome = proposals.track({
      logId: entry({ term: 2, index: 5 }),
      awaits: 'uniformMembership',
      deadlineTick: 99,
    });
    settle(proposals, membershipEntry({ term: 2, index: 5, configs: [[1], [1, 2]] }));
    settle(proposals, entry({ term: 2, index: 6 }));
    expect(proposals.size).toBe(1);
    settle(proposals, membershipEntry({ term: 2, index: 7, configs: [[1, 2]] }));
    expect(await outcome).toMatchObject({
      type: 'done',
      logId: { index: 7 },
      membership: { configs: [[1, 2]] },
    });
  });

  test('is definitely refused when another term has an entry where it began', async () => {
    const proposals = new Proposals();
    const outcome = proposals.track({
      logId: entry({ term: 2, index: 5 }),
      awaits: 'uniformMembership',
      deadlineTick: 99,
    });
    settle(proposals, membershipEntry({ term: 3, index: 5, configs: [[1]] }));
    expect(await outcome).toMatchObject({ type: 'refused' });
  });
});
