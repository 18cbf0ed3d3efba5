import { documentOf, done, type Judgement, judgeProblem, unusable, versionOf } from './answer.ts';
import type { NodeAnswer } from './exchange.ts';
import { isMetadataValue, type MetadataState } from './metadata-value.ts';

/**
 * Reads what a path shows. Only an answer with a version comes from metad: a proxy's 404 must not be taken for a path
 * without a value, nor its 403 for the node's. One that is older than `minVersion` goes back in time and counts as failed.
 */
export function judgeState(answer: NodeAnswer, minVersion: number): Judgement<MetadataState> {
  const { status } = answer;
  const version = versionOf(answer);
  if (version === null) return unusable(`answered ${status} without a version`);
  if (status !== 200 && status !== 404) return judgeProblem(answer);
  if (version < minVersion) {
    return unusable(`is behind: it has version ${version}, ${minVersion} was seen already`);
  }
  if (status === 404) return done({ found: false, version });
  const value = documentOf(answer);
  if (!isMetadataValue(value)) return unusable('answered something that is no tree of strings');
  return done({ found: true, value, version });
}
