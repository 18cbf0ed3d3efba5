import { assert, compareLogId, type InstallSnapshot } from '@metad/raft-core';
import type { CheckedRaft } from './checked-raft.ts';
import { TICK } from './event-queue.ts';
import type { Lifetime } from './lifetime.ts';
import type { SimulatedNode } from './simulated-node.ts';
import type { World } from './world.ts';

interface Transfer {
  readonly node: SimulatedNode;
  readonly raft: CheckedRaft;
  readonly lifetime: Lifetime;
  readonly asked: InstallSnapshot;
}

/** The bytes of the newest state, whose meta goes into the message; the outcome is reported once it is known. */
export function sendSnapshot(world: World, { node, raft, lifetime, asked }: Transfer): void {
  const { network, coverage, random } = world;
  const snapshot = node.store.takeSnapshot();
  assert(
    compareLogId(snapshot.meta.last, asked.snapshot.last) >= 0,
    'a snapshot is not older than what was asked for',
  );
  coverage.met('snapshot sent');
  let reported = false;
  const report = (result: 'sent' | 'failed') => {
    if (reported) return;
    reported = true;
    if (result === 'failed') coverage.met('snapshot failed');
    node.note(() => `knows its snapshot for n${asked.to} ${result}`);
    raft.input((core) => core.reportSnapshot(asked.to, result));
  };
  const confirm = () => lifetime.later(0, () => lifetime.onceAwake(() => report('sent')));
  node.transmit({ message: { ...asked, snapshot: snapshot.meta }, snapshot }, () =>
    network.send({ from: asked.to, to: node.id }, confirm),
  );
  // A transfer that is not confirmed in time has failed, whatever became of it.
  lifetime.later(TICK * (4 + random.below(8)), () => lifetime.onceAwake(() => report('failed')));
}
