import { beforeAll, describe, test } from 'vitest';
import { useCluster } from '../e2e/cluster.ts';
import { loadCases } from './case-format.ts';
import { replayCase } from './replay.ts';
import { Subject } from './subject.ts';

const cluster = useCluster();
let subject: Subject;

beforeAll(async () => {
  await cluster.form(3);
  subject = new Subject(cluster.ids.map((id) => cluster.node(id).ports));
});

describe('with each request to the next of three nodes', () => {
  test.for(loadCases().map((each) => [each.name, each] as const))('%s', ([, each]) =>
    replayCase(each, subject),
  );
});
