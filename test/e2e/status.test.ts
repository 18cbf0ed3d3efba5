import { beforeAll, expect, test } from 'vitest';
import { useCluster } from './cluster.ts';
import { metadctl, type Ran } from './metadctl.ts';
import { spawnMetad } from './script-process.ts';
import { waitUntil } from './wait-until.ts';

// metadctl status believes nobody who is not the member that it asks for.

const cluster = useCluster();

beforeAll(async () => {
  await cluster.form(3);
  await waitUntil(async () => (await status()).code === 0, 'a status without a problem');
  await cluster.stop(3);
});

function status(): Promise<Ran> {
  return metadctl('status', '--endpoint', cluster.node(1).addr);
}

/** Node 3's words, with an empty data directory and whatever else is given. */
function words(changes: Readonly<Record<string, string>>): string[] {
  const all: Readonly<Record<string, string>> = { '--data_dir': cluster.scratch('foreign'), ...changes };
  return cluster.args(3).map((word, index, args) => all[args[index - 1] ?? ''] ?? word);
}

test.for([
  ['a node of another cluster', [], {}, /node 3 of another cluster \([0-9a-f-]{36}\) answers there/],
  ['another node', ['--standby'], { '--id': '9' }, /node 9 answers there/],
  ['another disk', ['--standby'], {}, /node 3 answers there on another data directory than the member's/],
] as const)('%s in the place of a member', async ([, flags, changes, reason]) => {
  const foreign = spawnMetad([...words(changes), ...flags]);
  try {
    await waitUntil(() => foreign.log.includes('metad is up'), 'it to listen');
    const { code, output } = await status();
    expect(code, output).toBe(1);
    expect(output).toMatch(new RegExp(`^3 .* voter +- +- +- +- +${reason.source}$`, 'm'));
    expect(output).toMatch(/^metadctl: not the member answers for node 3: /m);
    expect(output.match(/^\d .* leader /gm), 'the rest is shown').toHaveLength(1);
  } finally {
    await foreign.end('SIGKILL');
  }
});

test('the member itself is shown again', async () => {
  await cluster.start(3);
  const { code, output } = await status();
  expect([code, output.match(/^\d .* (leader|follower) /gm)?.length]).toEqual([0, 3]);
});
