import { readFileSync } from 'node:fs';
import type { NodeId } from '@metad/raft-core';
import type { ListenAddress } from './address.ts';
import { readEnvironment } from './environment.ts';
import { readConfigFile } from './file.ts';
import { type Flags, helpText, readFlags } from './flags.ts';
import { checkTogether } from './rules.ts';
import { CONFIG_FLAG, SETTING_TABLE, SETTINGS, type Settings, variableOf } from './settings.ts';
import type { Given, Source } from './source.ts';

/** How a node with an empty data directory begins; one that has data goes on with what it has. */
export type Start =
  | { readonly type: 'single' }
  /** Empty, until a leader adds it. */
  | { readonly type: 'standby' }
  /** Asks these members, `HOST:PORT`, to add it as a learner. */
  | { readonly type: 'join'; readonly members: readonly string[] }
  /** Contains this node's own id. */
  | { readonly type: 'initialCluster'; readonly members: ReadonlyMap<NodeId, string> };

export type LogLevel = Settings['log_level'];

/** Everything that a node needs to know to run; each setting is described in config-settings.ts. */
export interface NodeConfig {
  readonly id: NodeId;
  /** Absolute. */
  readonly dataDir: string;
  readonly logLevel: LogLevel;
  /** Absolute. */
  readonly pidFile: string | null;

  readonly listen: ListenAddress;
  readonly listenManage: ListenAddress;
  readonly listenCluster: ListenAddress;
  /** `HOST:PORT` that goes into memberships; null when `listenCluster` has port 0 and so is known only once bound. */
  readonly advertiseCluster: string | null;

  readonly start: Start;

  readonly xff: boolean;
  /** Addresses and ranges; empty means that every peer is trusted. */
  readonly trustedProxies: readonly string[];
  readonly clusterToken: string | null;
  readonly manageToken: string | null;
  readonly insecure: boolean;

  readonly heartbeatIntervalMs: number;
  /** At least five heartbeats. */
  readonly electionTimeoutMs: number;
  readonly limits: NodeLimits;
}

export interface NodeLimits {
  readonly leaderWaitMs: number;
  readonly proposeTimeoutMs: number;
  readonly catchUpWaitMs: number;
  readonly waitTimeoutMs: number;
  readonly maxWaitTimeoutMs: number;
  readonly headerTimeoutMs: number;
  readonly requestTimeoutMs: number;
  readonly maxBodyBytes: number;
  readonly maxValueBytes: number;
  readonly maxPathBytes: number;
  readonly maxPathDepth: number;
  readonly maxInflightProposals: number;
  readonly maxUncommittedBytes: number;
  readonly maxWaiters: number;
}

export type ConfigOutcome =
  | { readonly type: 'config'; readonly config: NodeConfig }
  /** Print `output` (to standard error unless `code` is 0) and end. */
  | { readonly type: 'exit'; readonly code: number; readonly output: string };

/** What ends the process when the configuration is at fault. */
export const USAGE_EXIT_CODE = 2;

/**
 * Reads flags, then METAD_ variables, then the file that either names; what stands first wins, setting by setting. All
 * that is wrong is reported at once.
 */
export function loadConfig(args: readonly string[], env: NodeJS.ProcessEnv): ConfigOutcome {
  const flags = readFlags(args);
  if (flags.help) return { type: 'exit', code: 0, output: helpText() };
  if (flags.version) return { type: 'exit', code: 0, output: `metad ${packageVersion()}\n` };

  const sources = [flags, readEnvironment(env), ...fileSource(flags, env)];
  const given = firstOfEach(sources);
  const errors = sources.flatMap((source) => source.errors);
  const parsed = SETTINGS.safeParse(rawSettings(given));
  if (!parsed.success) {
    errors.push(...parsed.error.issues.map(({ path, message }) => describe(String(path[0]), given, message)));
    return refusal(errors);
  }
  const checked = checkTogether(parsed.data, (name) => given.get(name)?.origin ?? 'default');
  errors.push(...checked.errors);
  return errors.length > 0 || checked.config === null
    ? refusal(errors)
    : { type: 'config', config: checked.config };
}

function fileSource(flags: Flags, env: NodeJS.ProcessEnv): Source[] {
  const variable = variableOf(CONFIG_FLAG);
  const file = flags.configFile ?? env[variable] ?? '';
  const origin = flags.configFile === null ? variable : `--${CONFIG_FLAG}`;
  return file === '' ? [] : [readConfigFile(file, origin)];
}

function firstOfEach(sources: readonly Source[]): Map<string, Given> {
  return new Map(sources.toReversed().flatMap((source) => [...source.given]));
}

function rawSettings(given: ReadonlyMap<string, Given>): Record<string, unknown> {
  return Object.fromEntries(
    SETTING_TABLE.map(({ name, default: preset }) => [name, given.get(name)?.value ?? preset]),
  );
}

function describe(name: string, given: ReadonlyMap<string, Given>, message: string): string {
  const { value, origin } = given.get(name) ?? { value: '', origin: 'default' };
  const secret = SETTING_TABLE.some((setting) => setting.name === name && setting.secret);
  return `${name} (${origin}): ${message}${secret ? '' : `, not ${JSON.stringify(value)}`}`;
}

function refusal(errors: readonly string[]): ConfigOutcome {
  const head =
    errors.length === 1 ? 'the configuration has an error' : `the configuration has ${errors.length} errors`;
  const lines = errors.map((error) => `  ${error}\n`).join('');
  return { type: 'exit', code: USAGE_EXIT_CODE, output: `metad: ${head}:\n${lines}See metad --help.\n` };
}

function packageVersion(): string {
  const file: unknown = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'));
  if (typeof file !== 'object' || file === null || !('version' in file))
    throw new Error('package.json has no version');
  return String(file.version);
}
