import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { MetadSettings } from '@metad/metad-api';
import type { RaftConfig } from '@metad/raft-core';
import { afterAll, describe, expect, test } from 'vitest';
import { loadConfig } from '../src/config/load-config.ts';
import { metadSettings } from '../src/config/metad-settings.ts';
import type { NodeConfig } from '../src/config/node-config.ts';
import { raftConfig } from '../src/config/raft-config.ts';
import type { SettingName } from '../src/config/settings.ts';

// A setting that is read and checked, and then ignored, is worse than none. That the processes obey is tested in
// test/e2e/settings*.test.ts; here, that nothing gets lost on the way to where most settings go.

const directory = mkdtempSync(join(tmpdir(), 'metad-settings-'));
const tokenFile = join(directory, 'token');
writeFileSync(tokenFile, 'from-a-file\n');
afterAll(() => rmSync(directory, { recursive: true }));

interface Example {
  /** Anything but the default, and what must be given with it. */
  readonly words: readonly string[];
  /** All that it changes for the two APIs of the HTTP thread. */
  readonly metad?: Partial<MetadSettings>;
  /** All that it changes for the consensus. */
  readonly raft?: Partial<RaftConfig>;
}

/** The compiler asks for each setting, so also for one that is new. */
const EXAMPLES: Readonly<Record<SettingName, Example>> = {
  id: { words: ['--id', '2'], raft: { id: 2 as RaftConfig['id'] } },
  data_dir: { words: ['--data_dir', '/elsewhere'] },
  log_level: { words: ['--log_level', 'debug'] },
  max_feature_level: { words: ['--max_feature_level', '1'] },
  pid_file: { words: ['--pid_file', '/run/metad.pid'] },
  listen: { words: ['--listen', ':8080'] },
  listen_manage: { words: ['--listen_manage', '127.0.0.1:1'] },
  listen_cluster: { words: ['--listen_cluster', '127.0.0.1:2'] },
  advertise_cluster: { words: ['--advertise_cluster', 'one:3'] },
  standby: { words: ['--standby'] },
  join: { words: ['--join', 'one:4'] },
  initial_cluster: { words: ['--initial_cluster', '1=one:5,2=two:5'] },
  restore: { words: ['--restore', '/backup'] },
  cluster_token: { words: ['--cluster_token', 'secret'] },
  cluster_token_file: { words: ['--cluster_token_file', tokenFile] },
  xff: { words: ['--xff'], metad: { xff: true } },
  trusted_proxies: {
    words: ['--xff', '--trusted_proxies', '10.0.0.0/8'],
    metad: { xff: true, trustedProxies: ['10.0.0.0/8'] },
  },
  manage_token: { words: ['--manage_token', 'secret'], metad: { manageToken: 'secret' } },
  manage_token_file: {
    words: ['--manage_token_file', tokenFile],
    metad: { manageToken: 'from-a-file' },
  },
  insecure: { words: ['--insecure'] },
  heartbeat_interval: { words: ['--heartbeat_interval', '50ms'], raft: { electionTimeoutTicks: 20 } },
  election_timeout: { words: ['--election_timeout', '3s'], raft: { electionTimeoutTicks: 30 } },
  leader_wait: { words: ['--leader_wait', '7s'] },
  propose_timeout: { words: ['--propose_timeout', '7s'] },
  catch_up_wait: { words: ['--catch_up_wait', '7s'], metad: { catchUpTimeoutMs: 7000 } },
  wait_timeout: { words: ['--wait_timeout', '7s'], metad: { waitTimeoutSeconds: 7 } },
  max_wait_timeout: { words: ['--max_wait_timeout', '70s'], metad: { maxWaitTimeoutSeconds: 70 } },
  wait_jitter: { words: ['--wait_jitter', '1500ms'], metad: { waitJitterSeconds: 1.5 } },
  header_timeout: { words: ['--header_timeout', '7s'] },
  request_timeout: { words: ['--request_timeout', '70s'] },
  snapshot_log_bytes: { words: ['--snapshot_log_bytes', '7MiB'] },
  snapshot_log_entries: { words: ['--snapshot_log_entries', '70000'] },
  snapshot_keep_entries: { words: ['--snapshot_keep_entries', '7'] },
  max_body_size: { words: ['--max_body_size', '7KiB'], metad: { maxBodyBytes: 7 * 1024 } },
  max_value_size: { words: ['--max_value_size', '7'], metad: { maxValueBytes: 7 } },
  max_leaves: { words: ['--max_leaves', '7'], metad: { maxLeaves: 7 } },
  max_path_size: { words: ['--max_path_size', '70'], metad: { maxPathBytes: 70 } },
  max_path_depth: { words: ['--max_path_depth', '7'], metad: { maxPathDepth: 7 } },
  max_inflight_proposals: { words: ['--max_inflight_proposals', '7'] },
  max_uncommitted_size: {
    words: ['--max_uncommitted_size', '9MiB'],
    raft: { maxUncommittedBytes: 9 * 1024 * 1024 },
  },
  max_state_size: { words: ['--max_state_size', '7'] },
  max_waiters: { words: ['--max_waiters', '7'], metad: { maxWaiters: 7 } },
  max_waiters_per_address: { words: ['--max_waiters_per_address', '7'], metad: { maxWaitersPerAddress: 7 } },
};

function configOf(words: readonly string[]): NodeConfig {
  const outcome = loadConfig(words, {});
  if (outcome.type === 'exit') throw new Error(outcome.output);
  return outcome.config;
}

const raftOf = (config: NodeConfig): RaftConfig =>
  raftConfig(config, { node: config.id, instance: 'one', cluster: 'a cluster' });

const standard = configOf([]);

describe.for(Object.entries(EXAMPLES))('%s', ([, { words, metad = {}, raft = {} }]) => {
  const config = configOf(words);

  test('changes the configuration of a node', () => {
    expect(config).not.toEqual(standard);
  });

  test('changes what it should for the metadata and the manage API, and nothing else', () => {
    expect(metadSettings(config)).toEqual({ ...metadSettings(standard), ...metad });
  });

  test('changes what it should for the consensus, and nothing else', () => {
    expect(raftOf(config)).toEqual({ ...raftOf(standard), ...raft });
  });
});
