import { rmSync, writeFileSync } from 'node:fs';
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

const FAILED_EXIT_CODE = 1;

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
  try {
    const daemon = await Daemon.start({ config, logger, onFault: (error) => die(logger, error) });
    if (config.pidFile) writeFileSync(config.pidFile, `${process.pid}\n`);
    stopOnSignals(daemon, config, logger);
    announce(config, logger);
  } catch (error) {
    die(logger, error);
  }
}

function announce(config: NodeConfig, logger: Logger): void {
  const addresses = {
    metadata: formatAddress(config.listen),
    manage: formatAddress(config.listenManage),
    cluster: formatAddress(config.listenCluster),
  };
  logger.info(addresses, 'metad is up');
}

function stopOnSignals(daemon: Daemon, config: NodeConfig, logger: Logger): void {
  let stopping = false;
  const stop = (signal: NodeJS.Signals) => {
    if (stopping) return; // a second Ctrl-C does not make an orderly stop disorderly
    stopping = true;
    logger.info({ signal }, 'stopping');
    daemon.stop().then(
      () => {
        if (config.pidFile) rmSync(config.pidFile, { force: true });
        logger.info('stopped');
      },
      (error: unknown) => die(logger, error),
    );
  };
  process.on('SIGTERM', stop);
  process.on('SIGINT', stop);
}

/** Ends the process at once with the reason: what is on disk is safe, and nothing else is worth keeping. */
function die(logger: Logger, error: unknown): never {
  const expected = [StoreError, IdentityError, ListenError].some((kind) => error instanceof kind);
  const message = error instanceof Error ? error.message : String(error);
  if (expected) logger.fatal(message);
  else logger.fatal({ err: error }, message);
  process.exit(FAILED_EXIT_CODE);
}
