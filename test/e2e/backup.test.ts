import { readdirSync, readFileSync, truncateSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { useCluster } from './cluster.ts';
import { json, versionOf } from './http.ts';
import { metadctl, metadctlFailure, metadctlOk } from './metadctl.ts';
import { waitUntil } from './wait-until.ts';
import { findLoss, type Write, WriteStream } from './write-stream.ts';

// As an operator does it: a backup of what runs, a look at it, and a new cluster from it.

const CLIENT = '10.0.0.7';
const cluster = useCluster();
let folder: string;
let file: string;
/** What was acknowledged before the backup was asked for. */
let before: readonly Write[];
let versionBefore: number;

beforeAll(async () => {
  folder = cluster.scratch('backups');
  file = join(folder, 'metad.backup');
  await cluster.form(1);
  await cluster.manage(1, 'PUT', '/v1/data', { nodes: { web: { ip: '10.0.0.7' } } });
  await cluster.manage(1, 'PUT', '/v1/mapping', { [CLIENT]: { node: '/nodes/web' } });
  await cluster.manage(1, 'PUT', '/v1/rule', { [CLIENT]: [{ path: '/', mode: 1 }] });
});

function endpoint(id: number): string[] {
  return ['--endpoint', `http://${cluster.node(id).addr}`];
}

/** The number that a line of the output gives. */
function shown(output: string, name: string): number {
  const [, value] = new RegExp(`^  ${name} +(\\d+)$`, 'm').exec(output) ?? [];
  if (value === undefined) throw new Error(`there is no ${name} in ${output}`);
  return Number(value);
}

describe('a backup', () => {
  test('is taken while clients write, and holds all that they were told before', async () => {
    const stream = new WriteStream(cluster, 'meanwhile');
    await waitUntil(() => stream.acknowledged.length > 100, 'a hundred writes');
    before = [...stream.acknowledged];
    versionBefore = await cluster.version(1);
    const output = await metadctlOk('backup', file, ...endpoint(1));
    const acknowledged = stream.acknowledged.length;
    await stream.stop();
    expect(output).toContain(`wrote ${file}: `);
    expect(shown(output, 'version')).toBeGreaterThanOrEqual(versionBefore);
    expect(shown(output, 'leaves')).toBeGreaterThanOrEqual(before.length);
    expect(acknowledged, 'the node took writes meanwhile').toBeGreaterThan(before.length);
    expect(readdirSync(folder)).toEqual(['metad.backup']);
    expect(readdirSync(cluster.node(1).dataDir).filter((name) => name.startsWith('backup'))).toEqual([]);
  });

  test('replaces nothing unless it is told to', async () => {
    const found = readFileSync(file);
    expect(await metadctlFailure('backup', file, ...endpoint(1))).toMatch(/there already.*--force/);
    expect(readFileSync(file).equals(found)).toBe(true);
    const other = join(folder, 'other.backup');
    writeFileSync(other, 'something else');
    await metadctlOk('backup', other, '--force', ...endpoint(1));
    expect(await metadctlOk('verify', other)).toContain(`${other} is whole`);
  });

  test('says what it holds', async () => {
    const output = await metadctlOk('verify', file);
    expect(output).toMatch(/^ {2}mappings +1 names$/m);
    expect(output).toMatch(/^ {2}rules +for 1 clients$/m);
    expect(output).toMatch(/^ {2}cluster +[0-9a-f-]{36}$/m);
    expect(output).toMatch(/^ {2}level +1$/m);
    expect(output).toMatch(/^ {2}digest +[0-9a-f]{64}$/m);
    expect(output).toContain(`1=${cluster.node(1).addr}`);
  });

  test('with one damaged byte, or cut short, is found out wherever that is', async () => {
    const bytes = readFileSync(file);
    const damaged = join(folder, 'damaged.backup');
    for (const share of [0.001, 0.5, 0.999]) {
      const copy = Buffer.from(bytes);
      const at = Math.floor(copy.length * share);
      copy[at] = (copy[at] ?? 0) ^ 0x10;
      writeFileSync(damaged, copy);
      expect(await metadctlFailure('verify', damaged), `byte ${at}`).toContain(damaged);
    }
    writeFileSync(damaged, bytes);
    truncateSync(damaged, bytes.length - 4096);
    expect(await metadctlFailure('verify', damaged)).toContain(damaged);
    const target = join(folder, 'from-damaged');
    expect(await metadctlFailure('restore', damaged, '--data_dir', target)).toContain(damaged);
    expect(readdirSync(folder)).not.toContain('from-damaged');
  });

  test('of a standby is refused, and the one that is there stays', async () => {
    await cluster.add(8, '--standby');
    cluster.launch(8);
    await cluster.listening(8);
    const found = readFileSync(file);
    const refused = await metadctlFailure('backup', file, '--force', '--local', ...endpoint(8));
    expect(refused).toMatch(/answers 503: this node has nothing to back up/);
    expect(readFileSync(file).equals(found)).toBe(true);
    await cluster.stop(8);
  });

  test('that is not there is missed in the same words by whoever reads it', async () => {
    const missing = join(folder, 'missing.backup');
    const sentence = `cannot read ${missing}: there is no such file`;
    const target = ['--data_dir', join(folder, 'from-missing')];
    expect(await metadctlFailure('verify', missing)).toBe(`metadctl: ${sentence}\n`);
    expect(await metadctlFailure('restore', missing, ...target)).toBe(`metadctl: ${sentence}\n`);
    await cluster.add(9);
    const process = cluster.launch(9, '--restore', missing);
    expect(await process.exited).toMatchObject({ code: 1 });
    expect(process.log).toContain(`"msg":"${sentence}"`);
    expect(await metadctlFailure('restore', folder, ...target)).toContain('it is a directory, not a backup');
    expect(readdirSync(folder)).not.toContain('from-missing');
  });

  test('of a node that is not there, or with a flag that is none, says so', async () => {
    const [port] = await cluster.ports(1);
    const nowhere = `http://127.0.0.1:${port}`;
    expect(await metadctlFailure('backup', join(folder, 'x'), '--endpoint', nowhere)).toMatch(
      /cannot be reached/,
    );
    expect(await metadctl('backup', join(folder, 'x'), '--endpont', nowhere)).toMatchObject({ code: 2 });
    for (const address of ['ftp://127.0.0.1:1', `${nowhere}/backup`, '127.0.0.1']) {
      expect(await metadctl('backup', join(folder, 'x'), '--endpoint', address)).toEqual({
        code: 2,
        output: expect.stringMatching(/--endpoint.*expected HOST:PORT or http\(s\):\/\/HOST:PORT/),
      });
    }
    expect(await metadctl('restore', file)).toMatchObject({ code: 2 });
    expect(readdirSync(folder)).not.toContain('x.part');
  });
});

describe('data that is there', () => {
  test('is never restored over, and the node goes on', async () => {
    const { dataDir } = cluster.node(1);
    expect(await metadctlFailure('restore', file, '--data_dir', dataDir)).toContain(dataDir);
    await cluster.write(1, 'still', 'served');
    await cluster.stop(1);
    expect(await metadctlFailure('restore', file, '--data_dir', dataDir)).toContain(dataDir);
    const process = cluster.launch(1, '--restore', file);
    expect(await process.exited).toMatchObject({ code: 1 });
    expect(process.log).toMatch(/start metad without --restore/);
    await cluster.start(1);
    expect(await cluster.read(1, 'still')).toBe('served');
  });

  test('is verified once its node is stopped', async () => {
    const { dataDir } = cluster.node(1);
    expect(await metadctlFailure('verify', dataDir)).toMatch(/in use by a running node/);
    const version = await cluster.version(1);
    await cluster.stop(1);
    const output = await metadctlOk('verify', dataDir);
    expect(output).toContain(`${dataDir} is whole: the data directory of node 1`);
    expect(shown(output, 'version')).toBe(version);
    await cluster.start(1);
  });
});

describe('metad --restore', () => {
  test('that finds a port taken has restored nothing: the same words do it later', async () => {
    await cluster.add(2);
    const other = net.createServer();
    await new Promise<void>((resolve) => other.listen(cluster.node(2).ports.metadata, '127.0.0.1', resolve));
    const refused = cluster.launch(2, '--restore', file);
    expect(await refused.exited).toMatchObject({ code: 1 });
    expect(refused.log).toMatch(/the port is already in use/);
    await new Promise((resolve) => other.close(resolve));
    await cluster.start(2, '--restore', file);
  });

  test('makes a new cluster with the same data, mappings and rules', async () => {
    expect(findLoss(before, await cluster.readAll(2))).toEqual([]);
    expect(json(await cluster.metadata(2, '/self', CLIENT))).toEqual({ node: { ip: '10.0.0.7' } });
    expect(await cluster.metadata(2, '/nodes/web', '10.9.9.9')).toMatchObject({ status: 404 });
  });

  test('goes on at a version beyond all that were handed out, so that no client waits for ever', async () => {
    const old = await cluster.version(1);
    const restored = await cluster.version(2);
    expect(restored).toBeGreaterThan(old);
    const waiting = `/self/node/ip?wait=true&prev_version=${old}`;
    const answer = await cluster.metadata(2, waiting, CLIENT);
    expect([answer.status, versionOf(answer)]).toEqual([200, restored]);
    const next = cluster.metadata(2, `/self/node/ip?wait=true&prev_version=${restored}`, CLIENT);
    await cluster.manage(2, 'PUT', '/v1/data/nodes/web/ip', '10.0.0.8');
    expect(versionOf(await next)).toBe(restored + 1);
    expect(json(await next)).toBe('10.0.0.8');
  });

  test('is for the first start only', async () => {
    await cluster.stop(2);
    const process = cluster.launch(2, '--restore', file);
    expect(await process.exited).toMatchObject({ code: 1 });
    await cluster.start(2);
    expect(json(await cluster.metadata(2, '/self/node/ip', CLIENT))).toBe('10.0.0.8');
  });

  test('a backup of a restored cluster is restored at a version beyond again', async () => {
    const second = join(folder, 'second.backup');
    await metadctlOk('backup', second, ...endpoint(2));
    const { addr, dataDir } = await cluster.add(3);
    const output = await metadctlOk(
      ...['restore', second, '--data_dir', dataDir, '--id', '3', '--advertise_cluster', addr],
    );
    expect(output).toContain(`node 3 alone is the new cluster`);
    await cluster.start(3);
    expect(await cluster.version(3)).toBeGreaterThan(await cluster.version(2));
    expect(await cluster.readAll(3)).toEqual(await cluster.readAll(2));
  });
});

describe('a restored node', () => {
  const grown = useCluster();

  test('grows into a cluster of three, whose nodes get the data as a snapshot', async () => {
    await grown.add(1);
    await grown.start(1, '--restore', file);
    const version = await grown.version(1);
    for (const id of [2, 3]) {
      await grown.add(id, '--standby');
      grown.launch(id);
      await grown.listening(id);
      expect(await grown.addLearner(1, id)).toHaveProperty('Ok');
      await grown.ready(id);
    }
    expect(await grown.changeMembership(1, [1, 2, 3])).toHaveProperty('Ok');
    await grown.kill9(1);
    expect(findLoss(before, await grown.readAll(2))).toEqual([]);
    expect(await grown.version(3)).toBe(version);
    await grown.write(3, 'after', 'the restore');
    expect(await grown.read(2, 'after')).toBe('the restore');
    const flags = ['--endpoint', grown.node(2).addr];
    expect(await metadctlOk('snapshot', ...flags)).toMatch(
      /^took a snapshot up to log index \d+: version \d+, /,
    );
    const status = await metadctlOk('status', ...flags);
    expect(status).toMatch(/^1 .* voter .*cannot be reached/m);
    expect(status.match(/^\d .* (leader|follower) /gm)).toHaveLength(2);
  });
});

describe('a cluster of three', () => {
  const three = useCluster();
  const endpointOf = (id: number): string[] => ['--endpoint', three.node(id).addr];
  let tokenFile: string;

  beforeAll(async () => {
    tokenFile = join(three.scratch('token'), 'token');
    writeFileSync(tokenFile, 'a-cluster-token\n');
    await three.form(3, '--cluster_token_file', tokenFile);
    await three.manage(1, 'PUT', '/v1/data/kept', 'as it is');
  });

  test('shows itself to whoever knows the token', async () => {
    expect(await metadctlFailure('status', ...endpointOf(1))).toMatch(/answers 401: .*--token_file/);
    const output = await metadctlOk('status', ...endpointOf(2), '--token-file', tokenFile);
    expect(output.match(/^\d .* (leader|follower) /gm)).toHaveLength(3);
    expect(output.match(/ leader /g)).toHaveLength(1);
  });

  test('is backed up from any node', async () => {
    const digests = new Set<string>();
    for (const id of [1, 2, 3]) {
      const to = join(three.scratch('backup'), 'metad.backup');
      const output = await metadctlOk('backup', to, ...endpointOf(id), '--token_file', tokenFile);
      digests.add(/digest +(\w+)/.exec(output)?.[1] ?? output);
    }
    expect(digests.size).toBe(1);
  });

  test('that has lost its majority for good lives on in what one node has', async () => {
    await three.kill9(1, 2);
    const to = join(three.scratch('backup'), 'survivor.backup');
    const flags = [...endpointOf(3), '--token_file', tokenFile];
    await waitUntil(
      async () => (await metadctl('status', ...flags)).output.includes('no node leads'),
      'a status without a leader',
    );
    expect(await metadctlFailure('backup', to, ...flags)).toMatch(/answers 503/);
    await three.kill9(3);
    three.launch(3, '--cluster_token_file', tokenFile);
    await three.listening(3);
    await metadctlOk('backup', to, '--local', ...flags);
    await three.add(4);
    await three.start(4, '--restore', to);
    expect(await three.read(4, 'kept')).toBe('as it is');
  });
});
