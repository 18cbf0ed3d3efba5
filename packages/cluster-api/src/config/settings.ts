import { FIRST_FEATURE_LEVEL, LAST_FEATURE_LEVEL } from '@metad/kv-store';
import { z } from 'zod';
import {
  addressRanges,
  choice,
  duration,
  flag,
  identifier,
  integer,
  listenAddress,
  members,
  nodeAddress,
  nodeAddresses,
  path,
  size,
  token,
} from './values.ts';

export interface SettingDescription {
  /** The heading in `--help` and in the README under which it stands. */
  readonly section: string;
  /** What stands for the value in `--help`; null for a flag that is given or not. */
  readonly placeholder: string | null;
  /** As one would write it; null when leaving it out means something that no value means. */
  readonly default: string | null;
  readonly help: string;
  /** Its value is never shown. */
  readonly secret?: true;
}

const descriptions = z.registry<SettingDescription>();

const node = section('Node');
const addresses = section('Addresses');
const cluster = section('Forming a cluster');
const clients = section('Clients and access');
const timing = section('Timing');
const snapshots = section('Log and snapshots');
const limits = section('Limits');

const KIB = 1024;
const MIB = 1024 ** 2;
const GIB = 1024 ** 3;
const MINUTE = 60_000;

/** The largest `max_body_size` that can be set. */
export const MAX_BODY_BYTES = 64 * MIB;

/**
 * Every setting, once: its name and form here give the flag, the METAD_ variable, the key in the file, `--help` and the
 * README's table.
 */
export const SETTINGS = z.object({
  id: node(identifier(), '<id>', '1', 'number of this node; never given to another one later'),
  data_dir: node(path(), '<path>', './metad-data', 'directory that keeps the log and the state'),
  log_level: node(
    choice(['fatal', 'error', 'warn', 'info', 'debug', 'trace'], new Map([['warning', 'warn']])),
    '<level>',
    'info',
    'fatal, error, warn, info, debug or trace',
  ),
  max_feature_level: node(
    integer({ min: FIRST_FEATURE_LEVEL, max: LAST_FEATURE_LEVEL }).nullable(),
    '<level>',
    null,
    'hold the cluster at this feature level or below; unless given, it rises to what all members know',
  ),
  pid_file: node(path().nullable(), '<path>', null, 'file that holds the process id while metad runs'),

  listen: addresses(listenAddress(), '<address>', ':80', 'metadata API, for the clients'),
  listen_manage: addresses(
    listenAddress(),
    '<address>',
    '127.0.0.1:9611',
    'manage API, health, Prometheus metrics',
  ),
  listen_cluster: addresses(
    listenAddress(),
    '<address>',
    '127.0.0.1:21001',
    'KV and cluster API, and the other nodes',
  ),
  advertise_cluster: addresses(
    nodeAddress().nullable(),
    '<address>',
    null,
    'where other nodes reach this one; unless given, its entry in initial_cluster, else listen_cluster',
  ),

  standby: cluster(flag(), null, 'false', 'start empty and wait for POST /add-learner'),
  join: cluster(
    nodeAddresses().nullable(),
    '<addresses>',
    null,
    'members, HOST:PORT,…, to ask for admission as a learner',
  ),
  initial_cluster: cluster(
    members().nullable(),
    '<members>',
    null,
    'form a cluster at once: 1=HOST:PORT,2=HOST:PORT,…, the same on every node',
  ),
  restore: cluster(
    path().nullable(),
    '<file>',
    null,
    'found a cluster of one with the data of this backup; the data directory must be empty',
  ),
  cluster_token: secret(cluster)(
    token().nullable(),
    '<token>',
    null,
    'what nodes and users of the cluster port must know',
  ),
  cluster_token_file: cluster(path().nullable(), '<path>', null, 'file that holds the cluster token'),

  xff: clients(flag(), null, 'false', 'take the client address from X-Forwarded-For'),
  trusted_proxies: clients(
    addressRanges().nullable(),
    '<addresses>',
    null,
    'proxies whose X-Forwarded-For counts, such as 10.0.0.0/8,192.168.1.7; unless given, all',
  ),
  manage_token: secret(clients)(
    token().nullable(),
    '<token>',
    null,
    'what users of the manage port must know',
  ),
  manage_token_file: clients(path().nullable(), '<path>', null, 'file that holds the manage token'),
  insecure: clients(
    flag(),
    null,
    'false',
    'allow manage and cluster ports beyond this machine without a token',
  ),

  heartbeat_interval: timing(
    duration({ min: 10, max: MINUTE }),
    '<time>',
    '100ms',
    'between two heartbeats of the leader',
  ),
  election_timeout: timing(
    duration({ min: 50, max: 10 * MINUTE }),
    '<time>',
    '1s',
    'silence after which a new leader is elected; at least five heartbeats, the same on every node',
  ),
  leader_wait: timing(
    duration({ min: 0, max: 10 * MINUTE }),
    '<time>',
    '3s',
    'how long a request waits for a leader',
  ),
  propose_timeout: timing(
    duration({ min: 100, max: 10 * MINUTE }),
    '<time>',
    '5s',
    'how long a write or a linearizable read may take inside the cluster',
  ),
  catch_up_wait: timing(
    duration({ min: 0, max: 10 * MINUTE }),
    '<time>',
    '5s',
    'how long a read waits for a version that this node does not have yet',
  ),
  wait_timeout: timing(
    duration({ min: 1000, max: 60 * MINUTE }),
    '<time>',
    '60s',
    'how long wait=true holds a request that asks for no time',
  ),
  max_wait_timeout: timing(
    duration({ min: 1000, max: 60 * MINUTE }),
    '<time>',
    '10m',
    'the longest time that a request may ask for',
  ),
  wait_jitter: timing(
    duration({ min: 0, max: MINUTE }),
    '<time>',
    '0s',
    'over which the answers to one change are spread, unless a request says with jitter=',
  ),
  header_timeout: timing(
    duration({ min: 100, max: 10 * MINUTE }),
    '<time>',
    '10s',
    'for a client to send its headers; at most request_timeout',
  ),
  request_timeout: timing(
    duration({ min: 100, max: 60 * MINUTE }),
    '<time>',
    '60s',
    'for a client to send its whole request',
  ),

  snapshot_log_bytes: snapshots(
    size({ min: MIB, max: 1024 * GIB }),
    '<size>',
    '64MiB',
    'the log is compacted when its entries take more than that',
  ),
  snapshot_log_entries: snapshots(
    integer({ min: 10, max: 1_000_000_000 }),
    '<count>',
    '100000',
    'the log is compacted when it has more entries than that',
  ),
  snapshot_keep_entries: snapshots(
    integer({ min: 0, max: 500_000_000 }),
    '<count>',
    '10000',
    'that stay in the log for nodes that are a little behind; at most half of snapshot_log_entries',
  ),

  max_body_size: limits(size({ min: KIB, max: MAX_BODY_BYTES }), '<size>', '8MiB', 'of a request'),
  max_value_size: limits(size({ min: 1, max: 64 * MIB }), '<size>', '1MiB', 'of one value'),
  max_leaves: limits(integer({ min: 1, max: 1_000_000 }), '<count>', '100000', 'values in one write'),
  max_path_size: limits(size({ min: 16, max: 64 * KIB }), '<size>', '2KiB', 'of one path'),
  max_path_depth: limits(integer({ min: 1, max: 1024 }), '<count>', '64', 'names in one path'),
  max_inflight_proposals: limits(
    integer({ min: 1, max: 1_000_000 }),
    '<count>',
    '4096',
    'writes that wait for their commit at once',
  ),
  max_uncommitted_size: limits(
    size({ min: KIB, max: 4 * GIB }),
    '<size>',
    '64MiB',
    'of all writes that wait for their commit at once; at least max_body_size',
  ),
  max_state_size: limits(
    size({ min: 0, max: 64 * 1024 * GIB }),
    '<size>',
    '2GiB',
    'of the state; beyond it the leader takes only deletions, until there is room again; 0: no limit',
  ),
  max_waiters: limits(
    integer({ min: 1, max: 1_000_000 }),
    '<count>',
    '20000',
    'waits and streams held at once',
  ),
  max_waiters_per_address: limits(
    integer({ min: 0, max: 1_000_000 }),
    '<count>',
    '10000',
    'of them by one client address; 0: no limit',
  ),
});

/** The name of a setting, as in the file. */
export type SettingName = keyof typeof SETTINGS.shape;
/** All settings, each checked for itself. */
export type Settings = z.output<typeof SETTINGS>;

/** Every setting with its description, in the order in which they are shown. */
export const SETTING_TABLE: readonly (SettingDescription & { readonly name: string })[] = Object.entries(
  SETTINGS.shape,
).map(([name, schema]) => ({ name, ...descriptionOf(schema) }));

export const SETTING_NAMES: readonly string[] = SETTING_TABLE.map(({ name }) => name);

/** The flag, without its leading dashes, and the variable that name a configuration file. */
export const CONFIG_FLAG = 'config';

/** `data_dir` is set by METAD_DATA_DIR. */
export function variableOf(name: string): string {
  return `METAD_${name.toUpperCase()}`;
}

type Describe = <Schema extends z.ZodType>(
  schema: Schema,
  placeholder: string | null,
  defaultValue: string | null,
  help: string,
) => Schema;

function section(section: string): Describe {
  return (schema, placeholder, defaultValue, help) => {
    descriptions.add(schema, { section, placeholder, default: defaultValue, help });
    return schema;
  };
}

function secret(describe: Describe): Describe {
  return (schema, ...rest) => {
    describe(schema, ...rest);
    descriptions.add(schema, { ...descriptionOf(schema), secret: true });
    return schema;
  };
}

function descriptionOf(schema: z.ZodType): SettingDescription {
  const description = descriptions.get(schema);
  if (description === undefined) throw new Error('a setting has no description');
  return description;
}
