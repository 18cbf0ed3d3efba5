import { nodeId } from '@metad/raft-core';
import { pino } from 'pino';
import { expect, test } from 'vitest';
import type { PeerEvent } from '../src/peers/event.ts';
import { PeerEventLog } from '../src/peers/event-log.ts';

const failed = (reason: string, node = 2): PeerEvent => ({
  type: 'dialFailed',
  node: nodeId(node),
  remote: 'x:1',
  reason,
});
const opened: PeerEvent = {
  type: 'linkOpened',
  node: nodeId(2),
  direction: 'dialled',
  remote: 'x:1',
  protocol: 2,
};

function told(...events: PeerEvent[]): unknown[] {
  const lines: unknown[] = [];
  const write = (line: string) => lines.push(JSON.parse(line).msg);
  const log = new PeerEventLog(pino({ level: 'info' }, { write }));
  for (const event of events) log.write(event);
  return lines;
}

test('a peer that stays away is told once, and told when it is back', () => {
  expect(told(failed('refused'), failed('refused'), failed('refused'), opened, opened)).toEqual([
    "node 2 can't be reached",
    'connected with node 2',
  ]);
});

test('another reason, another peer and another time are news', () => {
  expect(told(failed('refused'), failed('timed out'), failed('refused', 3))).toHaveLength(3);
  expect(told(failed('refused'), opened, failed('refused'))).toHaveLength(3);
});

test('two refusals that take turns are told once each', () => {
  const refused = (direction: 'dialled' | 'accepted'): PeerEvent => {
    return { type: 'linkRefused', node: nodeId(2), direction, remote: 'x:1', reason: direction };
  };
  const turns = [refused('dialled'), refused('accepted'), refused('dialled'), refused('accepted')];
  expect(told(...turns)).toHaveLength(2);
});
