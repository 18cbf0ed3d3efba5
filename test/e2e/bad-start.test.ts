import { existsSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { useCluster } from './cluster.ts';
import { spawnMetad } from './script-process.ts';
import { waitUntil } from './wait-until.ts';

// A node that can't run as it was told ends with an exit code and one message that names what is wrong.

const cluster = useCluster();

beforeAll(async () => {
  await cluster.form(1);
  await cluster.write(1, 'kept', 'as it is');
  await cluster.add(2);
});

async function expectRefusal(
  args: readonly string[],
  env: NodeJS.ProcessEnv,
  ...reasons: RegExp[]
): Promise<void> {
  const process = spawnMetad(args, env);
  const { code, signal } = await waitUntil(() => process.exit, `metad ${args.join(' ')} to end`).finally(() =>
    process.signal('SIGKILL'),
  );
  expect(signal, process.log).toBeNull();
  expect(code, process.log).toBeGreaterThan(0);
  for (const reason of reasons) expect(process.log).toMatch(reason);
  expect(process.log, 'no stack trace').not.toMatch(/^\s+at .*:\d+:\d+\)?$/m);
}

describe('bad configuration', () => {
  test.for([
    ['an unknown flag, with a suggestion', ['--lissten', ':80'], [/lissten/, /--listen/]],
    ['an unexpected word', ['start'], [/start/]],
    ['a value that is missing', ['--data_dir'], [/data_dir/]],
    ['an id that is none', ['--id', '0'], [/\bid\b/, /0/]],
    ['an address that is none', ['--listen_cluster', 'nonsense'], [/listen_cluster/, /nonsense/]],
    ['a port that is none', ['--listen', '127.0.0.1:70000'], [/listen/, /70000/]],
    ['a time that is none', ['--election_timeout', 'soon'], [/election_timeout/, /soon/]],
    [
      'timing that cannot work',
      ['--heartbeat_interval', '1s', '--election_timeout', '1s'],
      [/election_timeout/],
    ],
    [
      'more time for the headers than for the request',
      ['--header_timeout', '2m'],
      [/header_timeout .*request_timeout/],
    ],
    ['two ways to begin', ['--standby', '--join', '127.0.0.1:1'], [/standby/, /join/]],
    [
      'a cluster without this node',
      ['--initial_cluster', '1=127.0.0.1:1,3=127.0.0.1:3'],
      [/initial_cluster/],
    ],
    [
      'one address twice',
      ['--initial_cluster', '1=127.0.0.1:1,2=127.0.0.1:1'],
      [/initial_cluster/, /127\.0\.0\.1:1/],
    ],
    [
      'an open manage port',
      ['--listen_manage', '0.0.0.0:9611'],
      [/listen_manage/, /manage_token/, /insecure/],
    ],
    [
      'an open cluster port',
      ['--listen_cluster', '0.0.0.0:2'],
      [/listen_cluster/, /cluster_token/, /insecure/],
    ],
    ['a file that is missing', ['--config', '/nonexistent/metad.yaml'], [/\/nonexistent\/metad\.yaml/]],
  ] as const)('%s', async ([, words, reasons]) => {
    await expectRefusal([...cluster.args(2), ...words].filter(firstWins(words)), {}, ...reasons);
  });

  test('an unknown key and a wrong value in the file are both named', async () => {
    const file = join(cluster.scratch('config'), 'metad.yaml');
    writeFileSync(file, 'lissten: ":80"\nlog_level: loud\n');
    await expectRefusal([...cluster.args(2), '--config', file], {}, /lissten/, /log_level/, /loud/);
    writeFileSync(file, 'listen: [":80"\n');
    await expectRefusal([...cluster.args(2), '--config', file], {}, /metad\.yaml/);
  });

  test('an unknown variable', async () => {
    await expectRefusal(cluster.args(2), { METAD_LISSTEN: ':80' }, /METAD_LISSTEN/);
  });
});

/** Drops a node's own words for the flags that a test sets: giving one twice is an error of its own. */
function firstWins(
  words: readonly string[],
): (word: string, index: number, all: readonly string[]) => boolean {
  const isSet = (word: string | undefined, index: number, length: number): boolean =>
    word !== undefined && index < length - words.length && words.includes(word);
  return (word, index, all) =>
    !isSet(word, index, all.length) && !isSet(all[index - 1], index - 1, all.length);
}

describe('what is taken already', () => {
  test('a second process on the same data directory is refused, and the first goes on', async () => {
    const { dataDir } = cluster.node(1);
    const args = cluster
      .args(2)
      .map((word, index, all) => (all[index - 1] === '--data_dir' ? dataDir : word));
    const sameId = args.map((word, index, all) => (all[index - 1] === '--id' ? '1' : word));
    await expectRefusal(sameId, {}, new RegExp(dataDir), /in use|another process|locked|already/i);
    await cluster.write(1, 'still', 'served');
    await cluster.stop(1);
    await cluster.start(1);
    expect(await cluster.readAll(1)).toEqual(
      new Map([
        ['kept', 'as it is'],
        ['still', 'served'],
      ]),
    );
  });

  test.for(['--listen', '--listen_manage', '--listen_cluster'])('the port of %s', async (flag) => {
    const port = Number(cluster.args(2)[cluster.args(2).indexOf(flag) + 1]?.split(':')[1]);
    const other = net.createServer();
    await new Promise<void>((resolve) => other.listen(port, '127.0.0.1', resolve));
    try {
      await expectRefusal(cluster.args(2), {}, new RegExp(`\\b${port}\\b`), /in use|taken|EADDRINUSE/i);
      expect(existsSync(cluster.node(2).dataDir), 'nothing was founded').toBe(false);
    } finally {
      await new Promise((resolve) => other.close(resolve));
    }
  });

  test('a data directory that cannot be made is named with what is in its way', async () => {
    const file = join(cluster.scratch('taken'), 'file');
    writeFileSync(file, 'not a directory');
    for (const [dataDir, reason] of [
      [file, `${file} is no directory`],
      [join(file, 'deep', 'data'), `${file} is no directory`],
      ['/dev/null/data', '/dev/null is no directory'],
      // The system refuses names there as if /proc itself were missing.
      ['/proc/metad/data', ''],
    ] as const) {
      const args = cluster
        .args(2)
        .map((word, index, all) => (all[index - 1] === '--data_dir' ? dataDir : word));
      await expectRefusal(args, {}, new RegExp(`cannot create the data directory ${dataDir}: ${reason}`));
    }
  });
});
