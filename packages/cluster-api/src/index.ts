export { type ConfigOutcome, loadConfig } from './config/load-config.ts';
export { settingsMarkdown } from './config/markdown.ts';
export type { LogLevel, NodeConfig, NodeLimits, Start } from './config/node-config.ts';
export { Daemon, type DaemonOptions } from './daemon.ts';
export { createLogger } from './logger.ts';
