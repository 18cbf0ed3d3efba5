import { type StateView, type Version, version, writeOf } from '@metad/kv-store';
import { expect, onTestFinished, test } from 'vitest';
import { readHistoryPage } from '../src/manage/past/history-page.ts';
import { walkHistory } from '../src/manage/past/history-walk.ts';
import { DEFAULT_METAD_SETTINGS } from '../src/settings.ts';
import { ChangeFeed } from '../src/wait/change-feed.ts';
import { InProcessReplica } from './in-process-replica.ts';

/** As in a node, where another thread may apply something between any two reads. */
class InterruptedFeed extends ChangeFeed {
  readonly interruptions: (() => void)[] = [];

  override read<T>(look: (view: StateView, version: Version) => T): T {
    const seen = super.read(look);
    this.interruptions.shift()?.();
    return seen;
  }
}

function setUp(versions: number) {
  const replica = new InProcessReplica();
  onTestFinished(() => replica.close());
  const put = (name: string, value: string): void => {
    const leaves = [[`/${name}`, value]] as const;
    replica.applyAll([{ ...writeOf([{ type: 'merge', tree: 'data', leaves }]), time: 1 }]);
  };
  for (let i = 1; i <= versions; i += 1) put('a', String(i));
  return { put, feed: new InterruptedFeed(replica, DEFAULT_METAD_SETTINGS) };
}

const NOTHING = (): void => undefined;

test.each([1, 3, 63, 64, 65, 300])(
  '%i changes that come during a walk are visited, too, each once',
  async (late) => {
    const { put, feed } = setUp(200);
    // The first slice, then the second one: what comes now is behind the walk.
    feed.interruptions.push(NOTHING, () => {
      for (let i = 1; i <= late; i += 1) put('b', String(i));
    });
    const visited: number[] = [];
    const outcome = await walkHistory(feed, {
      floor: version(100),
      visit: (entry) => {
        if (entry.version > 100) visited.push(entry.version);
        return entry.version > 100;
      },
      finish: (view) => view.version(),
    });
    expect(outcome).toEqual({ type: 'done', value: 200 + late });
    expect(visited.sort((a, b) => a - b)).toEqual(Array.from({ length: 100 + late }, (_, i) => 101 + i));
  },
);

test('what is trimmed before it was visited is not taken for nothing', async () => {
  const { put, feed } = setUp(10);
  // So much that the change right after what was visited is trimmed already.
  feed.interruptions.push(() => {
    for (let i = 0; i < 40; i += 1) put('big', String(i % 10).repeat(900_000));
  });
  const outcome = await walkHistory(feed, { floor: version(5), visit: () => true, finish: () => 'finished' });
  expect(outcome).toMatchObject({ type: 'gone' });
  if (outcome.type === 'gone') expect(outcome.oldest).toBeGreaterThan(10);
});

test('a page of the history has nothing that was trimmed while it was read', async () => {
  const { put, feed } = setUp(10);
  // The first read asks for the version, the second one is the only slice.
  feed.interruptions.push(NOTHING, () => {
    for (let i = 0; i < 40; i += 1) put('big', String(i % 10).repeat(900_000));
  });
  const page = await readHistoryPage(feed, { scope: { covers: () => true }, before: null, limit: 100 });
  expect(page.document).toEqual(
    new Map<string, unknown>([
      ['from', expect.any(Number)],
      ['changes', []],
      ['next', null],
    ]),
  );
});

test('what a page says was made is what a change that came meanwhile replaced', async () => {
  const { put, feed } = setUp(2);
  feed.interruptions.push(NOTHING, () => put('a', 'late'));
  const { document } = await readHistoryPage(feed, { scope: { covers: () => true }, before: null, limit: 1 });
  const [entry] = (document as Map<string, Map<string, unknown>[]>).get('changes') ?? [];
  const changed = entry?.get('changed') as Map<string, unknown>[] | undefined;
  expect(Object.fromEntries(changed?.[0] ?? [])).toEqual({
    kind: 'data',
    path: '/a',
    before: '1',
    after: '2',
  });
});
