import { type ContentCommand, writeOf } from '@metad/kv-store';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { createMetadApps } from '../src/metad-apps.ts';
import { DEFAULT_METAD_SETTINGS } from '../src/settings.ts';
import { InProcessReplica } from './in-process-replica.ts';
import { askMetadata, JSON_TYPE, ManualClock, settle } from './test-node.ts';
import { shownAs, TestStream } from './test-stream.ts';

const HOSTS = ['10.1.0.1', '10.1.0.2'] as const;
const QUERIES = ['/', '/a', '/a/b', '/a/b/c', '/self', '/self/k', '/self/g/m', '/self/k/b', '/x'] as const;

const path = fc.constantFrom('/a', '/a/b', '/a/b/c', '/a/d', '/self/z', '/x', '/x/y');
const host = fc.constantFrom(...HOSTS);
const rule = fc.record({
  path: fc.constantFrom('/', '/a', '/a/*', '/a/b', '/*/b', '/x'),
  mode: fc.constantFrom(0 as const, 1 as const),
});
const ruleList = fc.uniqueArray(rule, { selector: (one) => one.path, maxLength: 3 });
const key = fc.constantFrom('k', 'g/m', 'g/n');
const target = fc.constantFrom('/', '/a', '/a/b', '/x', '/self/z', '/none/');

const command: fc.Arbitrary<ContentCommand> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      type: fc.constant('merge' as const),
      tree: fc.constant('data' as const),
      leaves: fc.array(fc.tuple(path, fc.constantFrom('1', '2')), { maxLength: 2 }),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      type: fc.constant('delete' as const),
      tree: fc.constant('data' as const),
      paths: fc.array(path, { minLength: 1, maxLength: 2 }),
    }),
  },
  fc.record({
    type: fc.constant('setRules' as const),
    rules: fc.array(fc.tuple(host, ruleList), { minLength: 1, maxLength: 1 }),
  }),
  fc.record({
    type: fc.constant('deleteRules' as const),
    hosts: fc.array(host, { minLength: 1, maxLength: 1 }),
  }),
  fc.tuple(host, key, target).map(([one, name, to]) => ({
    type: 'merge' as const,
    tree: 'mapping' as const,
    leaves: [[`/${one}/${name}`, to] as const],
  })),
  fc
    .tuple(host, fc.constantFrom('', '/k', '/g'))
    .map(([one, name]) => ({ type: 'delete' as const, tree: 'mapping' as const, paths: [`/${one}${name}`] })),
);

type Step =
  /** `asOne`: as one write, which makes one version. */
  | { readonly type: 'apply'; readonly batch: readonly ContentCommand[]; readonly asOne: boolean }
  | {
      readonly type: 'wait' | 'follow';
      readonly host: string;
      readonly query: string;
      readonly back: number;
      /** Whether the client of a stream reads nothing until the end. */
      readonly isSlow: boolean;
    }
  | { readonly type: 'beat' }
  | { readonly type: 'holdBack' }
  | { readonly type: 'deliver' };

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({
      type: fc.constant('apply' as const),
      batch: fc.array(command, { minLength: 1, maxLength: 3 }),
      asOne: fc.boolean(),
    }),
  },
  {
    weight: 5,
    arbitrary: fc.record({
      type: fc.constantFrom('wait' as const, 'follow' as const),
      host,
      query: fc.constantFrom(...QUERIES),
      back: fc.nat({ max: 4 }),
      isSlow: fc.boolean(),
    }),
  },
  fc.constant({ type: 'beat' as const }),
  fc.constant({ type: 'holdBack' as const }),
  { weight: 2, arbitrary: fc.constant({ type: 'deliver' as const }) },
);

interface Waiting {
  readonly host: string;
  readonly query: string;
  /** What the client has seen: what a plain read showed at that version. */
  readonly seen: string;
  readonly since: number;
  isAnswered: boolean;
}

interface Following {
  readonly host: string;
  readonly query: string;
  readonly seen: string;
  readonly since: number;
  readonly stream: TestStream;
}

/** Random commands in random batches, changes that are delivered late, and clients that wait with old versions. */
test('whoever waits is answered when, and only when, what it would see is not what it has seen', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 25 }), async (steps) => {
      const replica = new InProcessReplica();
      const clock = new ManualClock();
      const apps = createMetadApps({ replica, settings: DEFAULT_METAD_SETTINGS, clock });
      const get = (client: string, url: string): Promise<Response> =>
        askMetadata(apps, url, { client, headers: JSON_TYPE });
      const read = async (client: string, query: string): Promise<string> =>
        (await get(client, `${query}?consistency=linearizable`)).text();
      /** Per version what each client saw at each path; read by an app of its own, so that nothing is remembered. */
      const history = new Map<number, Map<string, string>>();
      const record = async (): Promise<void> => {
        const shown = new Map<string, string>();
        for (const client of HOSTS)
          for (const query of QUERIES) shown.set(client + query, await read(client, query));
        history.set(
          replica.state.read((view) => view.version()),
          shown,
        );
      };
      const waiting: Waiting[] = [];
      const following: Following[] = [];
      /** Versions after which a wait may end though every read shows the same: see below. */
      const excuses: { readonly version: number; readonly host: string | null }[] = [];
      const ownChanges: { readonly version: number; readonly host: string }[] = [];
      let wasHeldBack = false;
      try {
        await record();
        for (const one of steps) {
          if (one.type === 'apply') {
            const { version } = replica.applyAll(one.asOne ? [writeOf(one.batch)] : one.batch);
            await record();
            // Within several versions something may change and change back.
            if (one.batch.length > 1 && !one.asOne) excuses.push({ version, host: null });
            for (const host of HOSTS) {
              if (one.batch.some((command) => concerns(command, host))) ownChanges.push({ version, host });
            }
          } else if (one.type === 'wait' || one.type === 'follow') {
            const versions = [...history.keys()].filter((at) => at > 0);
            const since = versions.at(-1 - Math.min(one.back, versions.length - 1));
            if (since === undefined) continue;
            const seen = history.get(since)?.get(one.host + one.query) ?? '';
            if (one.type === 'follow') {
              const headers = { 'last-event-id': String(since) };
              const stream = await TestStream.open({ apps }, one.query, { client: one.host, headers });
              if (one.isSlow) stream.pauseReading();
              following.push({ host: one.host, query: one.query, seen, since, stream });
              continue;
            }
            const waiter: Waiting = { host: one.host, query: one.query, seen, since, isAnswered: false };
            void get(one.host, `${one.query}?wait=true&timeout=600&prev_version=${since}`).then(() => {
              waiter.isAnswered = true;
            });
            waiting.push(waiter);
          } else if (one.type === 'holdBack') {
            replica.holdBack();
            wasHeldBack = true;
          } else if (one.type === 'beat') clock.advance(15_000);
          else replica.deliverHeldBack();
          checkIds(following, history);
        }
        replica.deliverHeldBack();
        await settle();
        for (const one of following) await checkStream(one, history, await read(one.host, one.query));
        for (const { host, query, seen, since, isAnswered } of waiting) {
          const shows = await read(host, query);
          if (!isAnswered) expect([host, query, shows]).toEqual([host, query, seen]);
          // What the rules were can't be known of a state that ran ahead; /self ends with any change of its mapping.
          const mayEnd = [...excuses, ...(wasHeldBack || query.startsWith('/self') ? ownChanges : [])];
          const isExcused = mayEnd.some(
            (one) => one.version > since && (one.host === null || one.host === host),
          );
          if (isAnswered && !isExcused) {
            const later = [...history]
              .filter(([version]) => version > since)
              .map(([, shown]) => shown.get(host + query));
            expect([host, query, later]).not.toEqual([host, query, later.map(() => seen)]);
          }
        }
      } finally {
        for (const { stream } of following) stream.leave();
        apps.stop();
        await settle();
        replica.close();
      }
    }),
    { numRuns: 150 },
  );
});

type History = ReadonlyMap<number, ReadonlyMap<string, string>>;

/** Whoever comes back with the id that it has is told of all that it has not been sent. */
function checkIds(following: readonly Following[], history: History): void {
  for (const { host, query, seen, since, stream } of following) {
    const id = Number(stream.lastId ?? since);
    expect([host, query, id, history.get(id)?.get(host + query)]).toEqual([
      host,
      query,
      id,
      stream.lastShown ?? seen,
    ]);
  }
}

/** Every event is the state at its version, none repeats the one before, and the last one is the final state. */
async function checkStream(
  { host, query, seen, since, stream }: Following,
  history: History,
  final: string,
): Promise<void> {
  await stream.resumeReading();
  const events = await stream.events();
  let last = { id: since, shown: null as string | null };
  for (const { id, shown } of events.map(({ id, data }) => ({ id: Number(id), shown: shownAs(data) }))) {
    expect(id).toBeGreaterThan(last.id);
    expect(shown).not.toBe(last.shown);
    expect([host, query, id, history.get(id)?.get(host + query)]).toEqual([host, query, id, shown]);
    last = { id, shown };
  }
  expect([host, query, last.shown ?? seen]).toEqual([host, query, final]);
}

/** Whether a command touches what decides on the client's view, other than data. */
function concerns(command: ContentCommand, host: string): boolean {
  switch (command.type) {
    case 'setRules':
      return command.rules.some(([one]) => one === host);
    case 'deleteRules':
      return command.hosts.includes(host);
    case 'merge':
      return command.tree === 'mapping' && command.leaves.some(([path]) => path.startsWith(`/${host}/`));
    case 'delete':
      return command.tree === 'mapping' && command.paths.some((path) => `${path}/`.startsWith(`/${host}/`));
    default:
      return false;
  }
}
