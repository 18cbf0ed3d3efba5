import type { AccessRule, Command, Leaf } from '@metad/kv-store';
import fc from 'fast-check';
import { describe, expect, onTestFinished, test } from 'vitest';
import { Access } from '../src/access/access.ts';
import type { ClientProfile } from '../src/access/client-profile.ts';
import { readMapping } from '../src/access/mapping.ts';
import { explain } from '../src/manage/clients/explanation.ts';
import { LeafReader } from '../src/read/leaf-reader.ts';
import { finish } from '../src/steps.ts';
import { InProcessReplica } from './in-process-replica.ts';
import { JSON_TYPE, TestNode, versionOf } from './test-node.ts';
import { readWhole } from './whole-reads.ts';

const UNLIMITED = { maxLeaves: 1e9, maxBytes: 1e9 };
const CLIENT = '10.1.0.1';

const name = fc.constantFrom('a', 'b', 'self', 'a-b');
const path = fc.array(name, { maxLength: 3 }).map((names) => `/${names.join('/')}`);
const leafPath = fc.array(name, { minLength: 1, maxLength: 4 }).map((names) => `/${names.join('/')}`);
const ruleList = fc.uniqueArray(
  fc.record({
    path: fc
      .array(fc.constantFrom('a', 'b', 'self', '*'), { maxLength: 3 })
      .map((names) => `/${names.join('/')}`),
    mode: fc.constantFrom(0 as const, 1 as const),
  }),
  { selector: (rule) => rule.path, maxLength: 5 },
);
const mappingLeaves = fc.uniqueArray(
  fc.tuple(fc.constantFrom('/10.1.0.1/k', '/10.1.0.1/g/x', '/10.1.0.1/g/y'), path),
  { selector: ([key]) => key, maxLength: 3 },
);
const asked = fc.oneof(
  path,
  fc.constantFrom('/', '/self', '/self/k', '/self/k/a', '/self/g', '/self/g/x', '/self/none'),
);

/** As the profile of a client is made, from its rules and its mapping as they are stored. */
function profileOf(rules: readonly AccessRule[] | null, mapped: readonly Leaf[]): ClientProfile {
  const mapping = readMapping('/10.1.0.1', mapped);
  const targets = mapping?.map(({ target }) => target) ?? null;
  const access = rules ? Access.ofRules(rules) : targets && Access.ofTargets(targets);
  return { id: 1, access, mapping, hasRules: rules !== null };
}

test('what is explained as visible is what a read shows, and nothing else', () => {
  const replica = new InProcessReplica();
  onTestFinished(() => replica.close());
  const leaves = fc.array(fc.tuple(leafPath, fc.string({ maxLength: 3 })), { maxLength: 12 });
  fc.assert(
    fc.property(leaves, fc.option(ruleList), mappingLeaves, asked, (stored, rules, mapped, at) => {
      const everything = stored.map(([leaf, value]): Leaf => [leaf, value.toWellFormed()]);
      const command: Command = { type: 'replace', tree: 'data', path: '/', leaves: everything };
      replica.applyAll([command]);
      replica.state.read((view) => {
        const profile = profileOf(rules, mapped);
        const reader = new LeafReader(view, UNLIMITED);
        const explaining = explain(reader, profile, { path: at, maxBranches: 100 });
        const { branches, truncated } = finish(explaining);
        expect(truncated).toBe(false);
        const found = readWhole(view, profile, at);
        const shown = new Map<string, string>();
        if (found.type === 'leaf') shown.set(at, found.value);
        if (found.type === 'tree')
          for (const [leaf, value] of found.leaves) shown.set(under(at, leaf), value);
        const explained = branches.flatMap((branch) => branch.leaves);
        const visible = explained.filter((leaf) => leaf.visible);
        const values = visible.map((leaf): Leaf => [leaf.path, view.value('data', leaf.data) ?? 'none']);
        expect(new Map(values)).toEqual(shown);
        expect(visible).toHaveLength(shown.size);
        for (const leaf of explained) {
          if (leaf.visible) expect(leaf.ruling?.allows).toBe(true);
          else expect(leaf.isBehindSelf || leaf.ruling?.allows !== true).toBe(true);
          if (rules && leaf.ruling) expect(rules[leaf.ruling.index]?.path).toBe(leaf.ruling.path);
        }
      });
    }),
    { numRuns: 1500 },
  );
});

function under(base: string, below: string): string {
  return base === '/' ? below : base + below;
}

async function node(): Promise<TestNode> {
  const made = new TestNode({ xff: true });
  await made.write('PUT', '/v1/data', {
    nodes: { 1: { ip: '10.1.0.1', key: 'secret' }, 2: { ip: '10.1.0.2' } },
    zone: 'a',
  });
  return made;
}

async function get(at: TestNode, target: string): Promise<[number, unknown]> {
  const response = await at.manage('GET', target, undefined, { headers: JSON_TYPE });
  return [response.status, await response.json()];
}

describe('explain', () => {
  test('a mapping and the rules: each leaf, and the rule that decided', async () => {
    const at = await node();
    await at.write('PUT', '/v1/mapping', { [CLIENT]: { node: '/nodes/1' } });
    const version = await at.write('PUT', '/v1/rule', {
      [CLIENT]: [
        { path: '/nodes/*', mode: 1 },
        { path: '/nodes/*/key', mode: 0 },
      ],
    });
    expect(await get(at, `/v1/explain?ip=${CLIENT}&path=/self/node/`)).toEqual([
      200,
      {
        version,
        ip: CLIENT,
        path: '/self/node',
        rules: 2,
        mapping: 1,
        branches: [
          {
            path: '/self/node',
            data: '/nodes/1',
            key: '/node',
            target: '/nodes/1',
            leaves: [
              {
                path: '/self/node/ip',
                data: '/nodes/1/ip',
                visible: true,
                rule: { path: '/nodes/*', mode: 1, index: 0 },
              },
              {
                path: '/self/node/key',
                data: '/nodes/1/key',
                visible: false,
                rule: { path: '/nodes/*/key', mode: 0, index: 1 },
              },
            ],
          },
        ],
        truncated: false,
        answer: { status: 200, document: { ip: '10.1.0.1' }, truncated: false },
      },
    ]);
  });

  test('a client that is unknown, one without rules, and an unmapped key', async () => {
    const at = await node();
    await at.write('PUT', '/v1/mapping', { [CLIENT]: { node: '/nodes/1', peers: { next: '/nodes/2' } } });
    expect(await get(at, '/v1/explain?ip=10.9.9.9&path=/zone')).toMatchObject([
      200,
      {
        rules: null,
        mapping: null,
        branches: [{ leaves: [{ visible: false, reason: 'this client has neither rules nor a mapping' }] }],
        answer: { status: 404, document: null },
      },
    ]);
    expect(await get(at, `/v1/explain?ip=::ffff:${CLIENT}&path=/self/peers`)).toMatchObject([
      200,
      {
        ip: CLIENT,
        rules: null,
        mapping: 2,
        branches: [
          {
            path: '/self/peers/next',
            data: '/nodes/2',
            key: '/peers/next',
            leaves: [{ visible: true, target: { key: '/peers/next', path: '/nodes/2' } }],
          },
        ],
      },
    ]);
    expect(await get(at, `/v1/explain?ip=${CLIENT}&path=/self/none`)).toMatchObject([
      200,
      { branches: [], truncated: false, answer: { status: 404 } },
    ]);
    expect(await get(at, `/v1/explain?ip=${CLIENT}`)).toMatchObject([
      200,
      { path: '/', answer: { document: { nodes: { 1: {}, 2: {} }, self: { node: {} } } } },
    ]);
  });

  test('is cut to a limit, and says so', async () => {
    const at = await node();
    await at.allow(CLIENT, '/');
    expect(await get(at, `/v1/explain?ip=${CLIENT}&limit=3`)).toMatchObject([
      200,
      { truncated: true, branches: [{ leaves: [{}, {}, {}] }], answer: { status: 200, truncated: true } },
    ]);
    expect(await get(at, `/v1/explain?ip=${CLIENT}&limit=4`)).toMatchObject([
      200,
      { truncated: false, answer: { truncated: false } },
    ]);
  });

  test.each([
    '/v1/explain',
    '/v1/explain?ip=',
    '/v1/explain?ip=10.1.0.1/8&path=/',
    '/v1/explain?ip=10.1.0.1&limit=0',
    '/v1/explain?ip=10.1.0.1&limit=x',
    `/v1/explain?ip=10.1.0.1&path=${'/a'.repeat(70)}`,
    '/v1/preview/a',
    '/v1/preview/a?ip=x',
  ])('%s is refused', async (target) => {
    expect(await get(await node(), target)).toMatchObject([400, { type: 'ERROR' }]);
  });

  test('nobody without the token learns anything', async () => {
    const at = new TestNode({ manageToken: 'open sesame' });
    for (const target of ['/v1/explain?ip=10.1.0.1', '/v1/preview/?ip=10.1.0.1']) {
      expect((await at.manage('GET', target)).status).toBe(401);
    }
  });
});

test('a preview is what the client gets, byte for byte', async () => {
  const at = await node();
  await at.write('PUT', '/v1/mapping', { [CLIENT]: { node: '/nodes/1' }, '10.1.0.3': { gone: '/none' } });
  await at.allow('10.1.0.2', '/zone', '/nodes/*/ip');
  const paths = ['/', '/self', '/self/node', '/self/x', '/nodes', '/nodes/1/key', '/zone', '/favicon.ico'];
  const accepts = ['application/json', 'application/yaml', 'text/plain', '*/*'];
  for (const client of [CLIENT, '10.1.0.2', '10.1.0.3', '10.1.0.4', '::1']) {
    for (const path of paths) {
      for (const accept of accepts) {
        const headers = { accept };
        const real = await at.metadata(`${path}?pretty=1`, { headers, client });
        const target = `/v1/preview${path}?ip=${client}&pretty=1`;
        const preview = await at.manage('GET', target, undefined, { headers });
        const [expected, shown] = [await real.text(), await preview.text()];
        expect([preview.status, shown, versionOf(preview)]).toEqual([real.status, expected, versionOf(real)]);
        expect(preview.headers.get('content-type')).toBe(real.headers.get('content-type'));
      }
    }
  }
});
