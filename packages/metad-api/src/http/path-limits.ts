import { segmentsOf } from '@metad/kv-store';

export interface PathLimits {
  readonly maxPathDepth: number;
  readonly maxPathBytes: number;
}

export type PathExcess = 'tooLong' | 'tooDeep';

/** By which limit a canonical path is too large; null when by none. */
export function findPathExcess(path: string, limits: PathLimits): PathExcess | null {
  // A UTF-16 unit takes at most three bytes; a name takes at least two characters with its slash.
  if (path.length * 3 > limits.maxPathBytes && Buffer.byteLength(path) > limits.maxPathBytes)
    return 'tooLong';
  if (path.length > limits.maxPathDepth * 2 - 1 && segmentsOf(path).length > limits.maxPathDepth) {
    return 'tooDeep';
  }
  return null;
}

export function describePathExcess(excess: PathExcess, limits: PathLimits): string {
  return excess === 'tooLong'
    ? `the path is longer than ${limits.maxPathBytes} bytes`
    : `the path is deeper than ${limits.maxPathDepth} levels`;
}
