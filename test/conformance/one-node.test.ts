import { beforeAll, describe, test } from 'vitest';
import { useCluster } from '../e2e/cluster.ts';
import { loadCases } from './case-format.ts';
import { replayCase } from './replay.ts';
import { Subject } from './subject.ts';

const cluster = useCluster();
let subject: Subject;

beforeAll(async () => {
  await cluster.form(1);
  subject = new Subject([cluster.node(1).ports]);
});

describe('on one node', () => {
  test.for(loadCases())('$name', (each) => replayCase(each, subject));
});
