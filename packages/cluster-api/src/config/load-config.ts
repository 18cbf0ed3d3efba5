import { readEnvironment } from './environment.ts';
import { readConfigFile } from './file.ts';
import { type Flags, helpText, readFlags } from './flags.ts';
import type { NodeConfig } from './node-config.ts';
import { packageVersion } from './package-version.ts';
import { checkTogether } from './rules.ts';
import { CONFIG_FLAG, SETTING_TABLE, SETTINGS, variableOf } from './settings.ts';
import type { Given, Source } from './source.ts';

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
