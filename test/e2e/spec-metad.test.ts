import { beforeAll, describe, expect, test } from 'vitest';
import { useCluster } from './cluster.ts';
import { json, send, versionOf } from './http.ts';

// What the Metad API document shows, over three nodes: writes go to one, reads to all.

const cluster = useCluster();
const client = '192.168.1.2';

const nodes = {
  '1': { ip: '192.168.1.1', name: 'nn_node1' },
  '2': { ip: '192.168.1.2', name: 'node2' },
  '3': { ip: '192.168.1.3', name: 'node3' },
  '4': { ip: '192.168.1.4', name: 'node4' },
  '5': { ip: '192.168.1.5', name: 'node5' },
  '6': { ip: '192.168.1.6', label: { key3: 'value3' }, name: 'node6' },
};

const clusters = {
  'cl-1': { name: 'cl-1', env: { user: 'one' } },
  'cl-2': { name: 'cl-2', env: { user: 'two' } },
};

beforeAll(() => cluster.form(3));

/** Reads as a client does that comes from the node which took the last write. */
async function get(id: number, path: string, ip: string, version: number): Promise<unknown> {
  return json(await cluster.metadata(id, path, ip, { 'X-Metad-Version': String(version) }));
}

async function change(id: number, method: string, path: string, body?: unknown): Promise<number> {
  const reply = await cluster.manage(id, method, path, body);
  expect([reply.status, json(reply)], `${method} ${path}`).toEqual([200, { code: 200, type: 'OK' }]);
  return versionOf(reply);
}

describe('Metadata API', () => {
  test('GET / shows the origin metadata, and under self what the client is mapped to', async () => {
    await change(1, 'POST', '/v1/data', { nodes });
    await change(2, 'POST', '/v1/mapping', { [client]: { node: '/nodes/2' } });
    const version = await change(3, 'PUT', '/v1/rule', { [client]: [{ path: '/', mode: 1 }] });
    for (const id of cluster.ids) {
      expect(await get(id, '/', client, version)).toEqual({ nodes, self: { node: nodes['2'] } });
      expect(await get(id, '/self/node/name', client, version)).toBe('node2');
      expect(await get(id, '/nodes/6/label/key3', client, version)).toBe('value3');
    }
  });

  test('the default content type is text, Accept asks for JSON or YAML', async () => {
    const port = cluster.node(2).ports.metadata;
    const read = (headers: Record<string, string>) =>
      send({ port, path: '/self/node', headers: { 'X-Forwarded-For': client, ...headers } });
    const text = await read({});
    expect(text.headers['content-type']).toMatch(/^text\/plain/);
    expect(text.text).toBe('/ip\t192.168.1.2\n/name\tnode2\n');
    const document = await read({ Accept: 'application/json' });
    expect(document.headers['content-type']).toMatch(/^application\/json/);
    expect(json(document)).toEqual(nodes['2']);
    for (const type of ['application/yaml', 'application/x-yaml', 'text/yaml', 'text/x-yaml']) {
      const yaml = await read({ Accept: type });
      expect(yaml.headers['content-type']).toMatch(/^application\/yaml/);
      expect(yaml.text).toMatch(/^name: "?node2"?$/m);
    }
  });

  test('every answer carries X-Metad-RequestID and X-Metad-Version', async () => {
    const answers = await Promise.all(cluster.ids.map((id) => cluster.metadata(id, '/self', client)));
    for (const { headerNames } of answers) {
      expect(headerNames).toEqual(expect.arrayContaining(['X-Metad-RequestID', 'X-Metad-Version']));
    }
    expect(new Set(answers.map(({ headers }) => headers['x-metad-requestid'])).size).toBe(3);
  });

  test.for(['prev_version', 'pre_version'])('wait=true with %s waits for a change after it', async (name) => {
    const before = versionOf(await cluster.metadata(3, '/self/node', client));
    const waiting = cluster.metadata(3, `/self/node?wait=true&${name}=${before}`, client);
    const after = await change(1, 'PUT', '/v1/data/nodes/2/name', `renamed for ${name}`);
    const answer = await waiting;
    expect(json(answer)).toEqual({ ip: '192.168.1.2', name: `renamed for ${name}` });
    expect(versionOf(answer)).toBe(after);
    const late = await cluster.metadata(2, `/self/node?wait=true&${name}=${before}`, client);
    expect(json(late), 'answered at once').toEqual(json(answer));
  });
});

describe('Manage API', () => {
  test('/v1/data: POST replaces, PUT merges, DELETE deletes all or subs', async () => {
    await change(1, 'POST', '/v1/data/verbs', { a: '1', b: { c: '2' } });
    expect(json(await cluster.manage(2, 'GET', '/v1/data/verbs'))).toEqual({ a: '1', b: { c: '2' } });
    await change(2, 'PUT', '/v1/data/verbs', { b: { d: '3' } });
    expect(json(await cluster.manage(3, 'GET', '/v1/data/verbs'))).toEqual({ a: '1', b: { c: '2', d: '3' } });
    await change(3, 'POST', '/v1/data/verbs/b', { e: '4' });
    expect(json(await cluster.manage(1, 'GET', '/v1/data/verbs'))).toEqual({ a: '1', b: { e: '4' } });
    await change(1, 'DELETE', '/v1/data/verbs?subs=a');
    expect(json(await cluster.manage(2, 'GET', '/v1/data/verbs'))).toEqual({ b: { e: '4' } });
    await change(2, 'DELETE', '/v1/data/verbs');
    expect((await cluster.manage(3, 'GET', '/v1/data/verbs')).status).toBe(404);
  });

  test('/v1/mapping: the same verbs', async () => {
    const host = '10.0.0.9';
    await change(1, 'POST', `/v1/mapping/${host}`, { node: '/nodes/1', other: '/nodes/2' });
    await change(2, 'PUT', `/v1/mapping/${host}`, { third: '/nodes/3' });
    const mapping = { node: '/nodes/1', other: '/nodes/2', third: '/nodes/3' };
    expect(json(await cluster.manage(3, 'GET', `/v1/mapping/${host}`))).toEqual(mapping);
    await change(3, 'DELETE', `/v1/mapping/${host}?subs=other,third`);
    expect(json(await cluster.manage(1, 'GET', `/v1/mapping/${host}`))).toEqual({ node: '/nodes/1' });
    await change(1, 'DELETE', `/v1/mapping/${host}`);
    expect((await cluster.manage(2, 'GET', `/v1/mapping/${host}`)).status).toBe(404);
  });

  test('/v1/rule: POST and PUT set the rules of hosts, GET shows them, DELETE removes them', async () => {
    const rules = [{ path: '/clusters/cl-1', mode: 1 }];
    await change(1, 'POST', '/v1/rule', { '192.168.1.10': rules });
    await change(2, 'PUT', '/v1/rule', { '192.168.1.11': rules });
    const shown = json(await cluster.manage(3, 'GET', '/v1/rule?hosts=192.168.1.10,192.168.1.11'));
    expect(shown).toEqual({ '192.168.1.10': rules, '192.168.1.11': rules });
    expect(Object.keys(json(await cluster.manage(1, 'GET', '/v1/rule')) as object).sort()).toEqual(
      [client, '192.168.1.10', '192.168.1.11'].sort(),
    );
    await change(3, 'DELETE', '/v1/rule?hosts=192.168.1.10,192.168.1.11');
    expect(Object.keys(json(await cluster.manage(2, 'GET', '/v1/rule')) as object)).toEqual([client]);
  });
});

describe('Access Rule Guide', () => {
  test('its example allows and forbids what its three statements say, on every node', async () => {
    const guest = '10.1.0.1';
    await change(1, 'PUT', '/v1/data', { clusters, other: 'secret' });
    const version = await change(2, 'POST', '/v1/rule', {
      [guest]: [
        { path: '/', mode: 0 },
        { path: '/clusters', mode: 1 },
        { path: '/clusters/*/env', mode: 0 },
        { path: '/clusters/cl-1', mode: 1 },
      ],
    });
    for (const id of cluster.ids) {
      const visible = { clusters: { 'cl-1': clusters['cl-1'], 'cl-2': { name: 'cl-2' } } };
      expect(await get(id, '/', guest, version)).toEqual(visible);
      for (const path of ['/other', '/nodes/1', '/clusters/cl-2/env', '/clusters/cl-2/env/user']) {
        expect(await get(id, path, guest, version), path).toEqual({
          code: 404,
          message: 'Not found',
          type: 'ERROR',
        });
      }
      expect(await get(id, '/clusters/cl-1/env', guest, version)).toEqual({ user: 'one' });
    }
  });
});
