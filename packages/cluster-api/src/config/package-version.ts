import { readFileSync } from 'node:fs';

/** The version of this release, as package.json tells it. */
export function packageVersion(): string {
  const file: unknown = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'));
  if (typeof file !== 'object' || file === null || !('version' in file)) {
    throw new Error('package.json has no version');
  }
  return String(file.version);
}
