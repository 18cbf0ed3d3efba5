import { StoreError } from '@metad/kv-store';
import type { Logger } from 'pino';
import { formatAddress } from './config/address.ts';
import { loadConfig } from './config/load-config.ts';
import type { NodeConfig } from './config/node-config.ts';
import { packageVersion } from './config/package-version.ts';
import { Daemon } from './daemon.ts';
import { ListenError } from './http-listener.ts';
import { IdentityError } from './identity.ts';
import { createLogger } from './logger.ts';
import type { BoundPorts } from './node-ports.ts';
import { PidFileError, writePidFile } from './pid-file.ts';
import { QuarantineError } from './quarantine.ts';
import { reasonOf } from './reason.ts';

const FAILED_EXIT_CODE = 1;

/** What is wrong outside of this program: the message says it all, and a stack would say nothing. */
const EXPECTED_ERRORS = [StoreError, IdentityError, ListenError, PidFileError, QuarantineError];

/** The `metad` command: runs one node until SIGTERM or SIGINT, or until a fault ends it. */
export async function main(args: readonly string[]): Promise<void> {
  const outcome = loadConfig(args, process.env);
  if (outcome.type === 'exit') {
    (outcome.code === 0 ? process.stdout : process.stderr).write(outcome.output);
    process.exitCode = outcome.code;
    return;
  }
  const { config } = outcome;
  const logger = createLogger(config);
  logger.info({ id: config.id, data: config.dataDir }, `metad ${packageVersion()} starts`);
  await run(config, logger);
}

async function run(config: NodeConfig, logger: Logger): Promise<void> {
  let removePidFile = (): void => undefined;
  const die = (error: unknown): never => {
    removePidFile();
    return endProcess(logger, error);
  };
  // A bug, wherever it is: the node ends with its reason in the log, as with any other fault.
  process.on('uncaughtException', die);
  process.on('unhandledRejection', die);
  try {
    removePidFile = writePidFile(config.pidFile);
    const started = Daemon.start({ config, logger, onFault: die });
    // From here on: a node that is asked to stop while it starts may lead already, and stops in order as well.
    onFirstSignal(async (signal) => {
      logger.info({ signal }, 'stopping');
      await started.then((daemon) => daemon.stop()).catch(die);
      removePidFile();
      logger.info('stopped');
    });
    announce(config, (await started).ports, logger);
  } catch (error) {
    die(error);
  }
}

function announce(config: NodeConfig, bound: BoundPorts, logger: Logger): void {
  const addresses = {
    metadata: formatAddress({ ...config.listen, port: bound.metadata }),
    manage: formatAddress({ ...config.listenManage, port: bound.manage }),
    cluster: formatAddress({ ...config.listenCluster, port: bound.cluster }),
  };
  logger.info(addresses, 'metad is up');
}

/** A second Ctrl-C does not make an orderly stop disorderly. */
function onFirstSignal(stop: (signal: NodeJS.Signals) => Promise<void>): void {
  let isStopping = false;
  const once = (signal: NodeJS.Signals) => {
    if (isStopping) return;
    isStopping = true;
    void stop(signal);
  };
  process.on('SIGTERM', once);
  process.on('SIGINT', once);
}

/** Ends the process at once with the reason: what is on disk is safe, and nothing else is worth keeping. */
function endProcess(logger: Logger, error: unknown): never {
  if (EXPECTED_ERRORS.some((kind) => error instanceof kind)) logger.fatal(reasonOf(error));
  else logger.fatal({ err: error }, reasonOf(error));
  process.exit(FAILED_EXIT_CODE);
}
