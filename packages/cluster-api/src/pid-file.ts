import { rmSync, writeFileSync } from 'node:fs';
import { reasonOf } from './reason.ts';

export class PidFileError extends Error {
  override readonly name = 'PidFileError';
}

/** Writes the process id where `file` says, if anywhere; returns what removes it again. */
export function writePidFile(file: string | null): () => void {
  if (file === null) return () => undefined;
  try {
    writeFileSync(file, `${process.pid}\n`);
  } catch (error) {
    throw new PidFileError(`cannot write the pid_file ${file}: ${reasonOf(error)}`);
  }
  return () => rmSync(file, { force: true });
}
