import { Command, InvalidArgumentError, Option } from 'commander';
import type { z } from 'zod';
import { packageVersion } from '../config/package-version.ts';
import { SETTINGS } from '../config/settings.ts';
import { backUp } from './backup.ts';
import { Endpoint, parseEndpoint } from './endpoint.ts';
import { restore } from './restore.ts';
import { takeSnapshot } from './snapshot.ts';
import { showStatus } from './status.ts';
import { verify } from './verify.ts';

export interface Surroundings {
  /** One or several lines for standard output. */
  readonly print: (text: string) => void;
  /**
   * For commands that wait and must clean up: the signal is aborted when the user interrupts them. The others block
   * their thread and change nothing, or nothing that a new attempt could not: the process may just end.
   */
  readonly interruption: () => AbortSignal;
}

interface EndpointFlags {
  readonly endpoint: URL;
  readonly token_file?: string;
}

/** Every command with its flags and its help. */
export function buildProgram({ print, interruption }: Surroundings): Command {
  const program = new Command('metadctl')
    .description('Looks after metad: backups, and the state of a cluster.')
    .version(`metadctl ${packageVersion()}`, '-V, --version', 'show the version')
    .helpOption('-h, --help', 'show this, or with a command what it takes')
    .helpCommand(false)
    .configureOutput({ outputError: (text, write) => write(text.replace(/^error: /, 'metadctl: ')) })
    .exitOverride();

  const online = (name: string, description: string) =>
    program
      .command(name)
      .description(description)
      .addOption(
        new Option('--endpoint <url>', 'cluster port of any node')
          .argParser(endpointUrl)
          .default(new URL(DEFAULT_ENDPOINT), DEFAULT_ENDPOINT),
      )
      .option('--token_file <path>', 'file that holds the cluster token')
      .addHelpText('after', AFTERWORD);

  online('backup', 'Copy the state of a running cluster into FILE, and check the copy.')
    .argument('<file>', 'written whole or not at all')
    .option('--force', 'replace FILE if it is there')
    .option('--local', 'what this node has, also without a quorum: all that can be had when it is lost')
    .action((file: string, flags: EndpointFlags & { force?: true; local?: true }) =>
      backUp(endpointOf(flags, interruption()), {
        file,
        replaces: flags.force ?? false,
        local: flags.local ?? false,
        print,
      }),
    );

  program
    .command('verify')
    .description(
      'Check every byte of a backup, or the data directory of a node that is stopped: its log, its snapshots, the structure of its state.',
    )
    .argument('<file|dir...>', 'a backup, or a data directory; several backups are compared, too')
    .action((paths: readonly string[]) => verify(paths, print))
    .addHelpText(
      'after',
      `${VERIFY_AFTERWORD}\nExit code 0: whole. 1: damaged, quarantined, different, or it cannot be read.`,
    );

  program
    .command('restore')
    .description(
      'Make the data directory of a new cluster of one from a backup. metad --restore does the same.',
    )
    .argument('<file>', 'the backup')
    .requiredOption('--data_dir <path>', 'absent or empty', setting('data_dir'))
    .addOption(new Option('--id <id>', 'number of its node').argParser(setting('id')).default(1))
    .addOption(
      new Option('--advertise_cluster <address>', 'where other nodes will reach it')
        .argParser(setting('advertise_cluster'))
        .default('127.0.0.1:21001'),
    )
    .action((file: string, flags) => restore({ backup: file, ...flags, print }))
    .addHelpText('after', RESTORE_AFTERWORD);

  online('status', 'Show the members of a cluster, who leads, and how far each is.').action(
    (flags: EndpointFlags) => showStatus(endpointOf(flags, interruption()), print),
  );

  online(
    'snapshot',
    'Let one node take a snapshot, from which it can restore its state and bring others up to date.',
  ).action((flags: EndpointFlags) => takeSnapshot(endpointOf(flags, interruption()), print));
  return program;
}

const DEFAULT_ENDPOINT = 'http://127.0.0.1:21001';

const AFTERWORD = '\nExit code 0: done. 1: failed; the message says why.';

const VERIFY_AFTERWORD = `
Backups that were taken from several nodes with --local while nobody writes hold the same, or one of the nodes is wrong.
`;

const RESTORE_AFTERWORD = `
The new cluster has an id of its own, so that no node of the old one can join it by mistake, and a version beyond any
that the old one has handed out, so that no waiting client sees it go backwards. Data that is there is never replaced.`;

function endpointOf({ endpoint, token_file }: EndpointFlags, signal: AbortSignal): Endpoint {
  return Endpoint.open({ url: endpoint, tokenFile: token_file ?? null, signal });
}

function endpointUrl(raw: string): URL {
  const url = parseEndpoint(raw);
  if (url !== null) return url;
  throw new InvalidArgumentError(`expected HOST:PORT or http(s)://HOST:PORT, such as ${DEFAULT_ENDPOINT}`);
}

/** Parses a flag as metad does the setting of that name. */
function setting<Name extends 'data_dir' | 'id' | 'advertise_cluster'>(
  name: Name,
): (raw: string) => z.output<(typeof SETTINGS.shape)[Name]> {
  return (raw) => {
    const parsed = SETTINGS.shape[name].safeParse(raw);
    if (parsed.success) return parsed.data as z.output<(typeof SETTINGS.shape)[Name]>;
    throw new InvalidArgumentError(parsed.error.issues.map(({ message }) => message).join('; '));
  };
}
