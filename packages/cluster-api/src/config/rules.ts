import { readFileSync } from 'node:fs';
import { reasonOf } from '../reason.ts';
import { formatAddress, isLoopback, isWildcard, type ListenAddress, localAddress } from './address.ts';
import type { NodeConfig, Start } from './node-config.ts';
import type { Settings } from './settings.ts';
import { formatMs, isToken, TOKEN_FORM } from './values.ts';

/** `config` counts only without errors. */
export interface CheckedConfig {
  readonly config: NodeConfig;
  readonly errors: readonly string[];
}

interface Check {
  readonly settings: Settings;
  /** A setting as errors name it: with where it was given. */
  readonly named: (name: keyof Settings) => string;
  readonly fail: (message: string) => void;
}

/** What settings must satisfy together, once each is right for itself. */
export function checkTogether(settings: Settings, originOf: (name: keyof Settings) => string): CheckedConfig {
  const errors: string[] = [];
  const check: Check = {
    settings,
    named: (name) => `${name} (${originOf(name)})`,
    fail: (message) => errors.push(message),
  };
  checkTiming(check);
  checkSizes(check);
  checkLog(check);
  checkProxies(check);
  checkPorts(check);
  const clusterToken = readToken(check, 'cluster_token', 'cluster_token_file');
  const manageToken = readToken(check, 'manage_token', 'manage_token_file');
  if (clusterToken === null) checkExposure(check, 'listen_cluster', 'cluster_token');
  if (manageToken === null) checkExposure(check, 'listen_manage', 'manage_token');
  const start = chooseStart(check);
  const advertiseCluster = chooseAdvertised(check, start);
  const restore = chooseRestore(check, advertiseCluster);
  return {
    errors,
    config: compose(settings, { start, restore, advertiseCluster, clusterToken, manageToken }),
  };
}

const MIN_HEARTBEATS_PER_ELECTION = 5;

function checkTiming({ settings, named, fail }: Check): void {
  const least = MIN_HEARTBEATS_PER_ELECTION * settings.heartbeat_interval;
  if (settings.election_timeout < least) {
    fail(
      `${named('election_timeout')}: expected at least ${MIN_HEARTBEATS_PER_ELECTION} times heartbeat_interval, ` +
        `which is ${formatMs(least)}, not ${formatMs(settings.election_timeout)}`,
    );
  }
  if (settings.wait_timeout > settings.max_wait_timeout) {
    fail(
      `${named('wait_timeout')}: expected at most max_wait_timeout, which is ` +
        `${formatMs(settings.max_wait_timeout)}, not ${formatMs(settings.wait_timeout)}`,
    );
  }
  if (settings.header_timeout > settings.request_timeout) {
    fail(
      `${named('header_timeout')}: expected at most ${named('request_timeout')}, which is ` +
        `${formatMs(settings.request_timeout)}, not ${formatMs(settings.header_timeout)}`,
    );
  }
}

function checkSizes({ settings, named, fail }: Check): void {
  if (settings.max_uncommitted_size >= settings.max_body_size) return;
  fail(
    `${named('max_uncommitted_size')}: expected at least max_body_size, which is ${settings.max_body_size} bytes, ` +
      `not ${settings.max_uncommitted_size}`,
  );
}

function checkLog({ settings, named, fail }: Check): void {
  const most = Math.floor(settings.snapshot_log_entries / 2);
  if (settings.snapshot_keep_entries <= most) return;
  fail(
    `${named('snapshot_keep_entries')}: expected at most half of snapshot_log_entries, which is ${most}, ` +
      `not ${settings.snapshot_keep_entries}`,
  );
}

function checkPorts({ settings, named, fail }: Check): void {
  const ports = ['listen', 'listen_manage', 'listen_cluster'] as const;
  for (const [i, name] of ports.entries()) {
    const taken = ports.slice(0, i).find((other) => overlaps(settings[name], settings[other]));
    if (taken) fail(`${named(name)}: the same port as ${named(taken)}`);
  }
}

function overlaps(one: ListenAddress, other: ListenAddress): boolean {
  if (one.port !== other.port || one.port === 0) return false;
  return one.host === other.host || isWildcard(one) || isWildcard(other);
}

function checkProxies({ settings, named, fail }: Check): void {
  if (settings.trusted_proxies === null || settings.xff) return;
  fail(`${named('trusted_proxies')}: means nothing without xff, and ${named('xff')} is off`);
}

type TokenName = 'cluster_token' | 'manage_token';

function readToken(
  { settings, named, fail }: Check,
  name: TokenName,
  fileName: `${TokenName}_file`,
): string | null {
  const file = settings[fileName];
  if (file === null) return settings[name];
  if (settings[name] !== null) fail(`${named(fileName)}: expected either this or ${named(name)}, not both`);
  let text: string;
  try {
    text = readFileSync(file, 'utf8').trim();
  } catch (error) {
    fail(`${named(fileName)}: cannot read it: ${reasonOf(error)}`);
    return null;
  }
  if (!isToken(text)) fail(`${named(fileName)}: expected ${file} to hold ${TOKEN_FORM}`);
  return text;
}

function checkExposure(
  { settings, named, fail }: Check,
  listen: 'listen_cluster' | 'listen_manage',
  token: TokenName,
): void {
  if (isLoopback(settings[listen]) || settings.insecure) return;
  // The token is at fault itself then, and said so.
  if (settings[`${token}_file`] !== null) return;
  fail(
    `${named(listen)}: ${formatAddress(settings[listen])} can be reached from other machines; ` +
      `give ${token} or ${token}_file, listen on 127.0.0.1, or allow it with insecure`,
  );
}

function chooseStart({ settings, named, fail }: Check): Start {
  const ways = (['standby', 'join', 'initial_cluster', 'restore'] as const).filter((name) =>
    Boolean(settings[name]),
  );
  if (ways.length > 1) fail(`${ways.map(named).join(' and ')}: expected only one of them`);
  const { initial_cluster: initial, join, standby, id } = settings;
  if (initial !== null) {
    if (!initial.has(id)) {
      fail(`${named('initial_cluster')}: expected this node among its members, ${named('id')} is ${id}`);
    }
    return { type: 'initialCluster', members: initial };
  }
  if (join !== null) return { type: 'join', members: join };
  return { type: standby ? 'standby' : 'single' };
}

function chooseAdvertised({ settings, named, fail }: Check, start: Start): string | null {
  const given = settings.advertise_cluster;
  const listed = start.type === 'initialCluster' ? (start.members.get(settings.id) ?? null) : null;
  if (given !== null && listed !== null && given !== listed) {
    fail(
      `${named('advertise_cluster')}: expected ${listed} as ${named('initial_cluster')} has it for node ` +
        `${settings.id}, not ${given}`,
    );
  }
  const known = given ?? listed;
  if (known !== null) return known;
  const { port } = settings.listen_cluster;
  if (isWildcard(settings.listen_cluster) && start.type !== 'single') {
    fail(
      `advertise_cluster: expected the HOST:PORT at which other nodes reach this one, because ` +
        `${named('listen_cluster')} is ${formatAddress(settings.listen_cluster)}`,
    );
  }
  return port === 0 ? null : localAddress(settings.listen_cluster);
}

function chooseRestore({ settings, fail }: Check, addr: string | null): NodeConfig['restore'] {
  if (settings.restore === null) return null;
  if (addr !== null) return { file: settings.restore, addr };
  fail('advertise_cluster: expected the HOST:PORT at which other nodes will reach the restored one');
  return null;
}

type Derived = Pick<NodeConfig, 'start' | 'restore' | 'advertiseCluster' | 'clusterToken' | 'manageToken'>;

function compose(settings: Settings, derived: Derived): NodeConfig {
  return {
    ...derived,
    id: settings.id,
    dataDir: settings.data_dir,
    logLevel: settings.log_level,
    maxFeatureLevel: settings.max_feature_level,
    pidFile: settings.pid_file,
    listen: settings.listen,
    listenManage: settings.listen_manage,
    listenCluster: settings.listen_cluster,
    xff: settings.xff,
    trustedProxies: settings.trusted_proxies ?? [],
    insecure: settings.insecure,
    heartbeatIntervalMs: settings.heartbeat_interval,
    electionTimeoutMs: settings.election_timeout,
    snapshots: {
      logBytes: settings.snapshot_log_bytes,
      logEntries: settings.snapshot_log_entries,
      keepEntries: settings.snapshot_keep_entries,
    },
    limits: {
      leaderWaitMs: settings.leader_wait,
      proposeTimeoutMs: settings.propose_timeout,
      catchUpWaitMs: settings.catch_up_wait,
      waitTimeoutMs: settings.wait_timeout,
      maxWaitTimeoutMs: settings.max_wait_timeout,
      waitJitterMs: settings.wait_jitter,
      headerTimeoutMs: settings.header_timeout,
      requestTimeoutMs: settings.request_timeout,
      maxBodyBytes: settings.max_body_size,
      maxValueBytes: settings.max_value_size,
      maxLeaves: settings.max_leaves,
      maxPathBytes: settings.max_path_size,
      maxPathDepth: settings.max_path_depth,
      maxInflightProposals: settings.max_inflight_proposals,
      maxUncommittedBytes: settings.max_uncommitted_size,
      maxStateBytes: settings.max_state_size,
      maxWaiters: settings.max_waiters,
      maxWaitersPerAddress: settings.max_waiters_per_address,
    },
  };
}
