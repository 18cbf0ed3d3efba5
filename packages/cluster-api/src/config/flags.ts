import { Command, CommanderError, Option } from 'commander';
import { CONFIG_FLAG, SETTING_NAMES, SETTING_TABLE } from './settings.ts';
import { didYouMean, type Given, type Source } from './source.ts';

export interface Flags extends Source {
  /** The file named by `--config`. */
  readonly configFile: string | null;
  readonly help: boolean;
  readonly version: boolean;
}

/** Reads the command line. Underscores and hyphens are the same in a flag; lists may be given in several flags. */
export function readFlags(args: readonly string[]): Flags {
  const values = new Map<string, string[]>();
  const command = buildCommand((name, value) => {
    values.set(name, [...(values.get(name) ?? []), value]);
  });
  const errors: string[] = [];
  try {
    const { operands, unknown } = command.parseOptions([...args]);
    errors.push(...unknownWords([...operands, ...unknown]));
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    errors.push(error.message.replace(/^error: /, ''));
  }
  const configFiles = values.get(CONFIG_FLAG) ?? [];
  if (configFiles.length > 1) errors.push(`--${CONFIG_FLAG}: given more than once`);
  return {
    given: givenFrom(values, errors),
    errors,
    configFile: configFiles.at(-1) ?? null,
    help: values.has('help'),
    version: values.has('version'),
  };
}

/** What `metad --help` prints. */
export function helpText(): string {
  return buildCommand(() => undefined).helpInformation() + AFTERWORD;
}

const LISTS: ReadonlySet<string> = new Set(['join', 'trusted_proxies', 'initial_cluster']);

function givenFrom(values: ReadonlyMap<string, readonly string[]>, errors: string[]): Map<string, Given> {
  const given = new Map<string, Given>();
  for (const name of SETTING_NAMES) {
    const written = values.get(name);
    if (written === undefined) continue;
    const isList = LISTS.has(name);
    if (written.length > 1 && !isList) errors.push(`--${name}: given more than once`);
    given.set(name, { value: isList ? written.join(',') : (written.at(-1) ?? ''), origin: `--${name}` });
  }
  return given;
}

function buildCommand(take: (name: string, value: string) => void): Command {
  const command = new Command('metad')
    .description('A highly available metadata service: one tree, replicated by Raft, read over HTTP.')
    .usage('[flags]')
    .helpOption(false)
    .allowUnknownOption()
    .exitOverride()
    .configureOutput({ writeErr: () => undefined });
  const add = (flags: string, name: string, help: string, section: string) => {
    command.addOption(new Option(flags, help).helpGroup(`${section}:`));
    command.on(`option:${name}`, (value: string | null) => take(name.replaceAll('-', '_'), value ?? 'true'));
    if (!name.includes('_')) return;
    const hyphens = name.replaceAll('_', '-');
    command.addOption(new Option(flags.replace(name, hyphens)).hideHelp());
    command.on(`option:${hyphens}`, (value: string | null) => take(name, value ?? 'true'));
  };
  add('-h, --help', 'help', 'show this', 'General');
  add('-V, --version', 'version', 'show the version', 'General');
  add(
    '--config <file>',
    CONFIG_FLAG,
    'YAML file with settings, named as the flags are; or METAD_CONFIG',
    'General',
  );
  for (const { name, placeholder, default: preset, help, section } of SETTING_TABLE) {
    const shown = preset === null || placeholder === null ? help : `${help} (default: ${preset})`;
    add(`--${name} ${placeholder ?? '[true|false]'}`, name, shown, section);
  }
  return command;
}

const AFTERWORD = `
Every flag is also a METAD_ variable (METAD_DATA_DIR) and a key of the --config file (data_dir).
Flags win over variables, variables over the file. Hyphens are as good as underscores.
Times are milliseconds unless they end in ms, s, m or h; sizes are bytes unless they end in KiB, MiB or GiB.
Without standby, join or initial_cluster an empty data directory starts a cluster of one.
`;

function unknownWords(words: readonly string[]): string[] {
  const errors: string[] = [];
  const known = [...SETTING_NAMES, CONFIG_FLAG, 'help', 'version'];
  let afterUnknownFlag = false;
  for (const word of words) {
    if (word.startsWith('-') && word !== '-') {
      const [flag = word] = word.split('=', 1);
      errors.push(
        `${flag}: unknown flag${didYouMean(flag.replace(/^-+/, ''), known, (name) => `--${name}`)}`,
      );
      afterUnknownFlag = !word.includes('=');
      continue;
    }
    // What follows an unknown flag is most likely its value.
    if (!afterUnknownFlag) errors.push(`${word}: unexpected argument; settings are given as --NAME VALUE`);
    afterUnknownFlag = false;
  }
  return errors;
}
