import { closeSync, existsSync, fsyncSync, openSync, readFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import type { NodeId } from '@metad/raft-core';
import { replaceAdvice } from './peers/repair-advice.ts';

/** The data directory was found to differ from those of the other nodes: the message says how to rebuild it. */
export class QuarantineError extends Error {
  override readonly name = 'QuarantineError';
}

const FILE = 'quarantined.txt';

/** What people are told about a node whose data can't be trusted. */
export function quarantineMessage(node: NodeId, reason: string): string {
  return `quarantined, because ${reason}. Stop it and rebuild it: ${replaceAdvice(node)}`;
}

/** Keeps every later process from starting on this directory. On disk when it returns. */
export function writeQuarantine(dataDir: string, message: string): void {
  const file = openSync(join(dataDir, FILE), 'w');
  try {
    writeSync(file, `${message}\n`);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
}

/** Throws a {@link QuarantineError} for a directory that is not to be used any more. */
export function refuseQuarantined(dataDir: string): void {
  const file = join(dataDir, FILE);
  if (!existsSync(file)) return;
  const message = readFileSync(file, 'utf8').trim();
  throw new QuarantineError(
    `the data directory ${dataDir} is ${message} (if the others are the ones that are wrong, remove ${FILE} in it)`,
  );
}
