import { beforeAll, describe, test } from 'vitest';
import { useCluster } from '../e2e/cluster.ts';
import { loadCases } from './case-format.ts';
import { replayCase } from './replay.ts';
import { Subject } from './subject.ts';

const cluster = useCluster();
let subject: Subject;

beforeAll(async () => {
  // One node is never behind: what asks for a version from the future need not wait for long.
  await cluster.form(1, '--catch_up_wait', '1s');
  subject = new Subject([cluster.node(1).ports]);
});

describe('on one node', () => {
  test.for(loadCases().map((each) => [each.name, each] as const))('%s', ([, each]) =>
    replayCase(each, subject),
  );
});
