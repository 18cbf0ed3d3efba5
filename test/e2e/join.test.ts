import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, expect, test } from 'vitest';
import { useCluster } from './cluster.ts';
import { waitUntil } from './wait-until.ts';

// A node asks for admission to a cluster that has a token.

const cluster = useCluster();

function tokenFile(token: string): string {
  const file = join(cluster.scratch('token'), 'token');
  writeFileSync(file, `${token}\n`);
  return file;
}

const file = tokenFile('a-token-of-the-cluster');

beforeAll(() => cluster.form(1, '--cluster_token_file', file));

test('who knows it becomes a learner; it is in no log', async () => {
  await cluster.add(2, '--join', cluster.node(1).addr, '--cluster_token_file', file, '--log_level', 'debug');
  await cluster.start(2);
  await waitUntil(() => cluster.process(2).log.includes('added as a learner'), 'the log of it');
  for (const id of [1, 2]) expect(cluster.process(id).log).not.toContain('a-token-of-the-cluster');
});

test('who knows another one is told so, and stays out', async () => {
  const other = tokenFile('another-token');
  await cluster.add(3, '--join', cluster.node(1).addr, '--cluster_token_file', other);
  const process = cluster.launch(3);
  await waitUntil(
    () => /not added yet.*|cluster token is missing or wrong/.test(process.log),
    'the reason in the log',
  );
  expect(process.log).toContain('start both nodes with the same cluster_token');
  expect((await cluster.manage(3, 'GET', '/ready')).status).toBe(503);
});
