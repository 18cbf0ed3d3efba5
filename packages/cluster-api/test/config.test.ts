import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { loadConfig, USAGE_EXIT_CODE } from '../src/config/load-config.ts';
import { settingsMarkdown } from '../src/config/markdown.ts';
import type { NodeConfig } from '../src/config/node-config.ts';
import { SETTING_TABLE } from '../src/config/settings.ts';

const directory = mkdtempSync(join(tmpdir(), 'metad-config-'));
afterAll(() => rmSync(directory, { recursive: true }));

let files = 0;
function file(text: string): string {
  files += 1;
  const path = join(directory, `file-${files}.yaml`);
  writeFileSync(path, text);
  return path;
}

function config(args: readonly string[], env: NodeJS.ProcessEnv = {}): NodeConfig {
  const outcome = loadConfig(args, env);
  if (outcome.type === 'exit') throw new Error(outcome.output);
  return outcome.config;
}

/** The lines of the refusal, one for each error. */
function errors(args: readonly string[], env: NodeJS.ProcessEnv = {}): string[] {
  const outcome = loadConfig(args, env);
  if (outcome.type === 'config') throw new Error('expected the configuration to be refused');
  expect(outcome.code).toBe(USAGE_EXIT_CODE);
  return outcome.output
    .split('\n')
    .filter((line) => line.startsWith('  '))
    .map((line) => line.trim());
}

describe('defaults', () => {
  test('a node without any settings is a cluster of one on the documented ports', () => {
    expect(config([])).toMatchObject({
      id: 1,
      dataDir: resolve('metad-data'),
      listen: { host: null, port: 80 },
      listenManage: { host: '127.0.0.1', port: 9611 },
      listenCluster: { host: '127.0.0.1', port: 21001 },
      advertiseCluster: '127.0.0.1:21001',
      start: { type: 'single' },
      xff: false,
      insecure: false,
      clusterToken: null,
      manageToken: null,
      heartbeatIntervalMs: 100,
      electionTimeoutMs: 1000,
      logLevel: 'info',
      pidFile: null,
    });
  });

  test('limits are those of the design', () => {
    expect(config([]).limits).toMatchObject({
      maxBodyBytes: 8 * 1024 * 1024,
      maxValueBytes: 1024 * 1024,
      maxLeaves: 100_000,
      maxPathDepth: 64,
      maxPathBytes: 2048,
      waitTimeoutMs: 60_000,
      maxWaitTimeoutMs: 600_000,
    });
  });

  test('every setting has a help text, a section and a name in snake case', () => {
    for (const { name, help, section } of SETTING_TABLE) {
      expect(name).toMatch(/^[a-z]+(_[a-z]+)*$/);
      expect(help).not.toBe('');
      expect(section).not.toBe('');
    }
  });
});

describe('precedence', () => {
  test('flags win over the environment, the environment over the file, the file over the default', () => {
    const path = file('id: 4\nlog_level: error\nlisten: :8004\nelection_timeout: 4s\n');
    const env = { METAD_ID: '3', METAD_LOG_LEVEL: 'warn', METAD_LISTEN: ':8003' };
    const loaded = config(['--config', path, '--id', '2', '--log_level=debug'], env);
    expect(loaded.id).toBe(2);
    expect(loaded.logLevel).toBe('debug');
    expect(loaded.listen.port).toBe(8003);
    expect(loaded.electionTimeoutMs).toBe(4000);
    expect(loaded.heartbeatIntervalMs).toBe(100);
  });

  test('a bad value that something stronger overrides does not matter', () => {
    expect(config(['--id', '2'], { METAD_ID: 'zero' }).id).toBe(2);
  });

  test('METAD_CONFIG names a file, and --config wins over it', () => {
    const weak = file('id: 4\n');
    const strong = file('id: 5\n');
    expect(config([], { METAD_CONFIG: weak }).id).toBe(4);
    expect(config(['--config', strong], { METAD_CONFIG: weak }).id).toBe(5);
  });

  test('a flag can switch off what the file switches on', () => {
    const path = file('xff: true\nstandby: true\n');
    const loaded = config(['--config', path, '--xff=false', '--standby', 'false']);
    expect(loaded.xff).toBe(false);
    expect(loaded.start).toEqual({ type: 'single' });
  });
});

describe('values', () => {
  test('times and sizes take units; without one they are milliseconds and bytes', () => {
    const args = ['--wait_timeout', '2m', '--leader_wait', '1500', '--propose_timeout', '2s'];
    const sizes = ['--max_body_size', '1MiB', '--max_value_size', '512', '--max_path_size', '4KiB'];
    expect(config([...args, ...sizes]).limits).toMatchObject({
      waitTimeoutMs: 120_000,
      leaderWaitMs: 1500,
      proposeTimeoutMs: 2000,
      maxBodyBytes: 1024 * 1024,
      maxValueBytes: 512,
      maxPathBytes: 4096,
    });
  });

  test('warning, as the original spells it, is warn', () => {
    expect(config(['--log_level', 'warning']).logLevel).toBe('warn');
  });
});

describe('flags', () => {
  test('hyphens are as good as underscores', () => {
    const args = ['--listen-manage', '127.0.0.1:1', '--listen_cluster', '127.0.0.1:2', '--data-dir=/d'];
    expect(config(args)).toMatchObject({
      listenManage: { port: 1 },
      listenCluster: { port: 2 },
      dataDir: '/d',
    });
  });

  test('a switch needs no value and does not take the next flag for it', () => {
    expect(config(['--xff', '--standby'])).toMatchObject({ xff: true, start: { type: 'standby' } });
  });

  test('lists may be given at once or in several flags', () => {
    const members = ['a:1', 'b:2', 'c:3'];
    expect(config(['--join', 'a:1,b:2', '--join', 'c:3']).start).toEqual({ type: 'join', members });
  });

  test('anything else given twice is an error, under either spelling', () => {
    expect(errors(['--data_dir', 'a', '--data-dir', 'b'])).toEqual(['--data_dir: given more than once']);
    expect(errors(['--id', '1', '--id', '2'])).toEqual(['--id: given more than once']);
    expect(errors(['--config', '/a', '--config', '/b'])).toContain('--config: given more than once');
  });

  test('a token may look like a flag', () => {
    expect(config(['--cluster_token', '--listen-me']).clusterToken).toBe('--listen-me');
  });

  test('unknown flags and stray words are named, with what was probably meant', () => {
    expect(errors(['--listn', ':80', '--election-timout=1s', '-x', 'stray', 'words', '--zzzzzzzz'])).toEqual([
      '--listn: unknown flag; did you mean --listen?',
      '--election-timout: unknown flag; did you mean --election_timeout?',
      expect.stringMatching(/^-x: unknown flag/),
      'words: unexpected argument; settings are given as --NAME VALUE',
      '--zzzzzzzz: unknown flag',
    ]);
  });

  test('a flag without its value is an error', () => {
    expect(errors(['--id'])).toEqual([expect.stringMatching(/--id.*missing/)]);
  });

  test('--help shows each setting with its default, once, and ends well whatever else is given', () => {
    const outcome = loadConfig(['--nonsense', '--help'], {});
    expect(outcome).toMatchObject({ type: 'exit', code: 0 });
    const output = outcome.type === 'exit' ? outcome.output : '';
    for (const { name, section } of SETTING_TABLE) {
      expect(output.match(new RegExp(`--${name} `, 'g'))).toHaveLength(1);
      expect(output).toContain(`${section}:`);
    }
    expect(output).toContain('127.0.0.1:9611');
    expect(output).not.toContain('--listen-manage');
    expect(output).toContain('METAD_DATA_DIR');
  });

  test('--version shows the version', () => {
    expect(loadConfig(['--version'], {})).toEqual({
      type: 'exit',
      code: 0,
      output: expect.stringMatching(/^metad \d+\.\d+\.\d+\n$/),
    });
  });
});

describe('environment', () => {
  test('every setting has its variable', () => {
    const loaded = config([], {
      METAD_LISTEN_MANAGE: '[::1]:99',
      METAD_XFF: 'true',
      METAD_TRUSTED_PROXIES: '10.0.0.0/8, ::1',
    });
    expect(loaded).toMatchObject({
      listenManage: { host: '::1', port: 99 },
      xff: true,
      trustedProxies: ['10.0.0.0/8', '::1'],
    });
  });

  test('an empty variable is as good as none', () => {
    expect(config([], { METAD_ID: '', METAD_CONFIG: '' }).id).toBe(1);
  });

  test('an unknown variable is an error with a suggestion; other programs’ variables are not ours', () => {
    expect(errors([], { METAD_DATADIR: '/x', PATH: '/bin' })).toEqual([
      'METAD_DATADIR: unknown environment variable; did you mean METAD_DATA_DIR?',
    ]);
  });

  test('what container platforms set for a service called metad is left alone', () => {
    const env = {
      METAD_SERVICE_HOST: '10.0.0.1',
      METAD_SERVICE_PORT: '80',
      METAD_SERVICE_PORT_HTTP: '80',
      METAD_PORT: 'tcp://10.0.0.1:80',
      METAD_PORT_80_TCP: 'tcp://10.0.0.1:80',
      METAD_PORT_80_TCP_ADDR: '10.0.0.1',
      METAD_MANAGE_SERVICE_HOST: '10.0.0.1',
    };
    expect(config([], env).id).toBe(1);
  });
});

describe('errors', () => {
  test('each names the setting, where it was given, what is allowed and what it was; all come together', () => {
    const path = file('\nmax_waiters: many\n');
    expect(errors(['--config', path, '--id', 'zero'], { METAD_XFF: 'yes' })).toEqual([
      'id (--id): expected a positive integer, not "zero"',
      'xff (METAD_XFF): expected true or false, not "yes"',
      `max_waiters (${path}:2): expected an integer from 1 to 1000000, not "many"`,
    ]);
  });

  test('unknown names and bad values are reported together', () => {
    expect(errors(['--idd', '3', '--id', '0'], { METAD_FOO_BAR: '1' })).toHaveLength(3);
  });

  test.each([
    ['--id', '0'],
    ['--id', '-1'],
    ['--id', '1.5'],
    ['--id', '99999999999999999'],
    ['--listen', '80'],
    ['--listen', ':65536'],
    ['--listen', '::1:80'],
    ['--listen', '256.1.1.1:80'],
    ['--listen_cluster', 'http://127.0.0.1:80'],
    ['--advertise_cluster', ':21001'],
    ['--advertise_cluster', '0.0.0.0:21001'],
    ['--advertise_cluster', '127.0.0.1:0'],
    ['--join', 'a:1,,b:2'],
    ['--initial_cluster', '127.0.0.1:21001'],
    ['--initial_cluster', '1=a:1,1=b:1'],
    ['--initial_cluster', '1=a:1,2=a:1'],
    ['--initial_cluster', '0=a:1'],
    ['--trusted_proxies', '10.0.0.0/33'],
    ['--trusted_proxies', 'proxy.example'],
    ['--log_level', 'loud'],
    ['--log_level', 'constructor'],
    ['--heartbeat_interval', '1'],
    ['--heartbeat_interval', '100 ms'],
    ['--election_timeout', '1d'],
    ['--max_body_size', '8MB'],
    ['--max_body_size', '1TiB'],
    ['--max_path_depth', '0'],
    ['--data_dir', ''],
  ])('%s %j is refused', (name, value) => {
    const [line = '', ...others] = errors([`${name}=${value}`, '--xff']);
    expect(others).toEqual([]);
    expect(line).toContain(`${name.slice(2)} (${name}): expected `);
    expect(line).toContain(`not ${JSON.stringify(value)}`);
  });
});

describe('settings that depend on each other', () => {
  test('an election takes at least five heartbeats', () => {
    expect(config(['--heartbeat_interval', '200']).electionTimeoutMs).toBe(1000);
    const [line] = errors(['--heartbeat_interval', '300ms']);
    expect(line).toContain('election_timeout (default): expected at least 5 times heartbeat_interval');
    expect(line).toContain('1500ms, not 1s');
  });

  test('a wait is not longer by default than the longest that may be asked for', () => {
    expect(errors(['--max_wait_timeout', '30s'])[0]).toContain('wait_timeout (default): expected at most');
  });

  test('a client has no more time for its headers than for its request', () => {
    expect(config(['--header_timeout', '1m']).limits.headerTimeoutMs).toBe(60_000);
    expect(errors(['--header_timeout', '2m'])).toEqual([
      'header_timeout (--header_timeout): expected at most request_timeout (default), which is 1m, not 2m',
    ]);
    expect(errors(['--request_timeout', '5s'])[0]).toContain('at most request_timeout (--request_timeout)');
  });

  test('one body always fits into what may be uncommitted', () => {
    expect(errors(['--max_uncommitted_size', '1MiB'])[0]).toContain('expected at least max_body_size');
  });

  test('the tail of the log is at most half of it', () => {
    const tail = ['--snapshot_log_entries', '100', '--snapshot_keep_entries'];
    expect(config([...tail, '50']).snapshots).toMatchObject({ logEntries: 100, keepEntries: 50 });
    expect(errors([...tail, '51'])[0]).toContain(
      'expected at most half of snapshot_log_entries, which is 50',
    );
  });

  test('trusted proxies without xff are an error', () => {
    expect(errors(['--trusted_proxies', '10.0.0.1'])[0]).toContain('means nothing without xff');
  });
});

describe('how a cluster starts', () => {
  test('standby, join and initial_cluster exclude each other, wherever they are given', () => {
    const path = file('standby: true\n');
    expect(errors(['--config', path, '--join', 'a:1'])).toEqual([
      `standby (${path}:1) and join (--join): expected only one of them`,
    ]);
  });

  test('a restore founds a cluster of one, at an address that is known beforehand', () => {
    expect(config([]).restore).toBeNull();
    expect(config(['--restore', '/b/metad.backup']).restore).toEqual({
      file: '/b/metad.backup',
      addr: '127.0.0.1:21001',
    });
    expect(errors(['--restore', 'b', '--standby'])[0]).toContain('expected only one of them');
    expect(errors(['--restore', 'b', '--listen_cluster', '127.0.0.1:0'])[0]).toContain('advertise_cluster');
  });

  test('the state may have no limit', () => {
    expect(config([]).limits.maxStateBytes).toBe(2 * 1024 ** 3);
    expect(config(['--max_state_size', '0']).limits.maxStateBytes).toBe(0);
  });

  test('a founding member takes its own address from the list', () => {
    const loaded = config(['--id', '2', '--initial_cluster', '1=a:1,2=b:2,3=[::1]:3']);
    expect(loaded.start).toEqual({
      type: 'initialCluster',
      members: new Map([
        [1, 'a:1'],
        [2, 'b:2'],
        [3, '[::1]:3'],
      ]),
    });
    expect(loaded.advertiseCluster).toBe('b:2');
  });

  test('a founding member must be in the list, at the address that it advertises', () => {
    expect(errors(['--id', '4', '--initial_cluster', '1=a:1'])[0]).toContain(
      'expected this node among its members, id (--id) is 4',
    );
    expect(errors(['--initial_cluster', '1=a:1', '--advertise_cluster', 'b:1'])[0]).toContain(
      'advertise_cluster (--advertise_cluster): expected a:1',
    );
  });

  test('a node that others must reach says where, when it listens everywhere', () => {
    const everywhere = ['--listen_cluster', '0.0.0.0:21001', '--cluster_token', 't'];
    for (const start of [['--standby'], ['--join', 'a:1']]) {
      expect(errors([...everywhere, ...start])[0]).toContain('advertise_cluster: expected the HOST:PORT');
    }
    expect(config([...everywhere, '--join', 'a:1', '--advertise_cluster', 'me:21001']).advertiseCluster).toBe(
      'me:21001',
    );
    expect(config(everywhere).advertiseCluster).toBe('127.0.0.1:21001');
  });

  test('with port 0 the advertised address is known only once the port is open', () => {
    expect(config(['--listen_cluster', '127.0.0.1:0']).advertiseCluster).toBeNull();
  });
});

describe('security', () => {
  test.each(['listen_manage', 'listen_cluster'])('%s beyond this machine needs a token', (name) => {
    for (const address of [':9000', '0.0.0.0:9000', '[::]:9000', '10.0.0.1:9000', 'example.org:9000']) {
      expect(errors([`--${name}`, address])).toEqual([
        expect.stringContaining(`${name} (--${name}): ${address}`),
      ]);
    }
    const token = name.replace('listen', '').concat('_token').slice(1);
    expect(errors([`--${name}`, ':9000'])[0]).toContain(`${token} or ${token}_file`);
    expect(config([`--${name}`, ':9000', `--${token}`, 'secret']).insecure).toBe(false);
    expect(config([`--${name}`, ':9000', '--insecure']).insecure).toBe(true);
  });

  test('one port’s token does not open the other', () => {
    expect(errors(['--listen_manage', ':1', '--listen_cluster', ':2', '--manage_token', 'm'])).toEqual([
      expect.stringContaining('listen_cluster'),
    ]);
  });

  test.each(['127.0.0.1', '127.8.9.1', '[::1]', '[::ffff:127.0.0.1]', 'localhost'])(
    '%s is this machine',
    (host) => {
      expect(config(['--listen_manage', `${host}:1`, '--listen_cluster', `${host}:2`]).insecure).toBe(false);
    },
  );

  test.each([
    ['127.0.0.1:9611', 'listen_cluster'],
    [':9611', 'listen'],
  ])('two ports at %s are an error, by %s', (address, name) => {
    expect(errors([`--${name}`, address])).toEqual([expect.stringContaining('the same port as listen')]);
  });

  test('ports that the system chooses never collide', () => {
    const free = [
      '--listen',
      '127.0.0.1:0',
      '--listen_manage',
      '127.0.0.1:0',
      '--listen_cluster',
      '127.0.0.1:0',
    ];
    expect(config(free).listen.port).toBe(0);
  });

  test('the metadata port may be open to everyone', () => {
    expect(config(['--listen', '0.0.0.0:80']).listen.host).toBe('0.0.0.0');
  });

  test('a token may stand in a file, whose blanks around it do not count', () => {
    const path = file('  s3cret-Token/+=\n\n');
    const loaded = config(['--cluster_token_file', path, '--listen_cluster', ':21001']);
    expect(loaded.clusterToken).toBe('s3cret-Token/+=');
    expect(loaded.manageToken).toBeNull();
  });

  test('a token file that is empty, missing, or holds more than a token is an error that does not show it', () => {
    expect(errors(['--manage_token_file', file(' \n')])[0]).toMatch(
      /^manage_token_file \(.*\): expected .* to hold/,
    );
    const two = errors(['--manage_token_file', file('first second\n')]);
    expect(two[0]).toContain('to hold a token');
    expect(two[0]).not.toContain('second');
    expect(errors(['--manage_token_file', join(directory, 'nowhere')])).toEqual([
      expect.stringMatching(/^manage_token_file .*cannot read it.*ENOENT/),
    ]);
  });

  test('a token file that can’t be used is the only error, also on an open port', () => {
    expect(errors(['--listen_manage', ':1', '--manage_token_file', join(directory, 'nowhere')])).toHaveLength(
      1,
    );
  });

  test('a token and a token file together are an error that names both', () => {
    const path = file('t\n');
    expect(errors(['--cluster_token_file', path], { METAD_CLUSTER_TOKEN: 'hush' })).toEqual([
      'cluster_token_file (--cluster_token_file): expected either this or cluster_token (METAD_CLUSTER_TOKEN), not both',
    ]);
  });

  test('a refused token is not shown', () => {
    for (const secret of ['with blank', 'ünïcode', 'x'.repeat(1025)]) {
      const [line = ''] = errors(['--manage_token', secret]);
      expect(line).toContain('manage_token (--manage_token): expected a token');
      expect(line).not.toContain(secret);
    }
  });
});

test('the README’s table has a row for every setting', () => {
  const rows = settingsMarkdown().split('\n');
  for (const { name } of SETTING_TABLE) {
    expect(
      rows.filter(
        (row) => row.startsWith(`| \`--${name}`) && /^[ `]/.test(row.slice(`| \`--${name}`.length)),
      ),
    ).toHaveLength(1);
  }
  expect(rows).toContain('| `--xff` | `false` | take the client address from X-Forwarded-For |');
});
