import { isatty } from 'node:tty';
import { isMainThread } from 'node:worker_threads';
import { type DestinationStream, type Logger, pino, stdTimeFunctions } from 'pino';
import { prettyFactory } from 'pino-pretty';
import type { NodeConfig } from './config/node-config.ts';

export type { Logger };

/** Where the lines go. */
export interface LogOutput {
  /** For people, in colour; else one JSON object for each line. */
  readonly pretty: boolean;
  readonly stream: DestinationStream;
}

const STDOUT = 1;
/** What may wait for a reader of the log that is too slow; beyond it lines are dropped, never the node held up. */
const MAX_BUFFERED_BYTES = 8 * 1024 * 1024;

/** Fields that hold secrets wherever they stand at the first two levels, and the headers that carry them. */
const SECRETS = ['clusterToken', 'manageToken', 'token', 'authorization'];
const REDACTED_PATHS = [...SECRETS, ...SECRETS.map((name) => `*.${name}`), '*.headers.authorization'];

/**
 * Makes the logger of a thread; nothing else writes to standard output while a node runs. Lines are readable in a
 * terminal and JSON otherwise. Tokens in known places are replaced.
 */
export function createLogger(
  config: Pick<NodeConfig, 'id' | 'logLevel'>,
  output: LogOutput = standardOutput(),
): Logger {
  return pino(
    {
      level: config.logLevel,
      base: { node: config.id },
      timestamp: stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      redact: { paths: REDACTED_PATHS, censor: '[redacted]' },
    },
    output.pretty ? prettyTo(output.stream) : output.stream,
  );
}

function standardOutput(): LogOutput {
  // In a terminal a line is written before the call returns, so that the last words of a process are seen. Elsewhere a
  // full pipe must not hold up consensus: the main thread writes in the background, and what is left at exit is
  // flushed by pino. It does so in the main thread only, hence the other threads write at once.
  const pretty = isatty(STDOUT);
  const sync = pretty || !isMainThread;
  return { pretty, stream: pino.destination({ dest: STDOUT, sync, maxLength: MAX_BUFFERED_BYTES }) };
}

/** Formats within the call: what pino-pretty offers as a stream passes lines on later, and loses them at exit. */
function prettyTo(stream: DestinationStream): DestinationStream {
  const format = prettyFactory({
    colorize: true,
    translateTime: 'SYS:HH:MM:ss.l',
    ignore: 'node',
    singleLine: true,
  });
  return { write: (line) => stream.write(format(line)) };
}
