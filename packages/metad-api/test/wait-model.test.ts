import type { Command } from '@metad/kv-store';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { createMetadApps } from '../src/metad-apps.ts';
import { DEFAULT_METAD_SETTINGS } from '../src/settings.ts';
import { InProcessReplica } from './in-process-replica.ts';
import { askMetadata, JSON_TYPE, ManualClock, settle } from './test-node.ts';

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

const command: fc.Arbitrary<Command> = fc.oneof(
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
  | { readonly type: 'apply'; readonly batch: readonly Command[] }
  | { readonly type: 'wait'; readonly host: string; readonly query: string; readonly back: number }
  | { readonly type: 'holdBack' }
  | { readonly type: 'deliver' };

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 5,
    arbitrary: fc
      .array(command, { minLength: 1, maxLength: 3 })
      .map((batch) => ({ type: 'apply' as const, batch })),
  },
  {
    weight: 5,
    arbitrary: fc.record({
      type: fc.constant('wait' as const),
      host,
      query: fc.constantFrom(...QUERIES),
      back: fc.nat({ max: 4 }),
    }),
  },
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

/** Random commands in random batches, changes that are delivered late, and clients that wait with old versions. */
test('whoever waits is answered when, and only when, what it would see is not what it has seen', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 25 }), async (steps) => {
      const replica = new InProcessReplica();
      const apps = createMetadApps({ replica, settings: DEFAULT_METAD_SETTINGS, clock: new ManualClock() });
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
      /** Versions after which a wait may end though every read shows the same: see below. */
      const excuses: { readonly version: number; readonly host: string | null }[] = [];
      const ownChanges: { readonly version: number; readonly host: string }[] = [];
      let wasHeldBack = false;
      try {
        await record();
        for (const one of steps) {
          if (one.type === 'apply') {
            const { version } = replica.applyAll(one.batch);
            await record();
            // Within a batch something may change and change back.
            if (one.batch.length > 1) excuses.push({ version, host: null });
            for (const host of HOSTS) {
              if (one.batch.some((command) => concerns(command, host))) ownChanges.push({ version, host });
            }
          } else if (one.type === 'wait') {
            const versions = [...history.keys()].filter((at) => at > 0);
            const since = versions.at(-1 - Math.min(one.back, versions.length - 1));
            if (since === undefined) continue;
            const seen = history.get(since)?.get(one.host + one.query) ?? '';
            const waiter: Waiting = { host: one.host, query: one.query, seen, since, isAnswered: false };
            void get(one.host, `${one.query}?wait=true&prev_version=${since}`).then(() => {
              waiter.isAnswered = true;
            });
            waiting.push(waiter);
          } else if (one.type === 'holdBack') {
            replica.holdBack();
            wasHeldBack = true;
          } else replica.deliverHeldBack();
        }
        replica.deliverHeldBack();
        await settle();
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
        apps.stop();
        await settle();
        replica.close();
      }
    }),
    { numRuns: 150 },
  );
});

/** Whether a command touches what decides on the client's view, other than data. */
function concerns(command: Command, host: string): boolean {
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
