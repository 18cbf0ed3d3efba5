import type { AccessRule, Leaf } from '@metad/kv-store';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Access } from '../src/access/access.ts';
import type { ClientProfile } from '../src/access/client-profile.ts';
import { readMapping } from '../src/access/mapping.ts';
import { answerKey } from '../src/read/answers.ts';
import { InProcessReplica } from './in-process-replica.ts';
import { readWhole, renderWhole } from './whole-reads.ts';

const FORM = { format: 'json', pretty: false } as const;

const name = fc.constantFrom('a', 'b', 'self');
const path = fc.array(name, { maxLength: 3 }).map((names) => `/${names.join('/')}`);
const leafPath = fc.array(name, { minLength: 1, maxLength: 4 }).map((names) => `/${names.join('/')}`);
const ruleList = fc.uniqueArray(
  fc.record({
    path: fc.array(fc.oneof(name, fc.constant('*')), { maxLength: 3 }).map((names) => `/${names.join('/')}`),
    mode: fc.constantFrom(0 as const, 1 as const),
  }),
  { selector: (rule) => rule.path, maxLength: 4 },
);
const mapping = fc.uniqueArray(fc.tuple(fc.constantFrom('/ip/k', '/ip/l', '/ip/g/x'), path), {
  selector: ([key]) => key,
  maxLength: 3,
});
const client = fc.tuple(fc.option(ruleList), mapping);
const asked = fc.oneof(
  path,
  fc.constantFrom('/', '/self', '/self/k', '/self/l', '/self/k/a', '/self/g', '/self/g/x', '/self/none'),
);

let profiles = 0;

function profileOf(rules: readonly AccessRule[] | null, mapped: readonly Leaf[]): ClientProfile {
  profiles += 1;
  const read = readMapping('/ip', mapped);
  const targets = read?.map(({ target }) => target) ?? null;
  const access = rules ? Access.ofRules(rules) : targets && Access.ofTargets(targets);
  return { id: profiles, access, mapping: read, hasRules: rules !== null };
}

test('questions with one key have one answer, whoever asks', () => {
  const replica = new InProcessReplica();
  const leaves = fc.array(fc.tuple(leafPath, fc.string({ maxLength: 3 })), { maxLength: 12 });
  const clients = fc.array(client, { minLength: 2, maxLength: 5 });
  let shared = 0;
  fc.assert(
    fc.property(
      leaves,
      clients,
      fc.array(asked, { minLength: 1, maxLength: 6 }),
      (stored, everybody, paths) => {
        const everything = stored.map(([at, value]): Leaf => [at, value.toWellFormed()]);
        replica.applyAll([{ type: 'replace', tree: 'data', path: '/', leaves: everything }]);
        const answers = new Map<string, string>();
        replica.state.read((view) => {
          for (const [rules, mapped] of everybody) {
            const profile = profileOf(rules, mapped);
            for (const at of paths) {
              const found = readWhole(view, profile, at);
              const answer = found.type === 'missing' ? 'missing' : renderWhole(found, FORM);
              const key = answerKey(profile, { path: at, form: FORM });
              const known = answers.get(key);
              if (known !== undefined) shared += 1;
              expect(known ?? answer).toBe(answer);
              answers.set(key, answer);
            }
          }
        });
      },
    ),
    { numRuns: 1500 },
  );
  replica.close();
  expect(shared).toBeGreaterThan(500);
});

test('clients with other rules share what is open to all of them', () => {
  const question = { path: '/self/k', form: FORM };
  const open = (own: string): ClientProfile =>
    profileOf(
      [
        { path: '/a', mode: 1 },
        { path: own, mode: 1 },
      ],
      [['/ip/k', '/a']],
    );
  expect(answerKey(open('/nodes/1'), question)).toBe(answerKey(open('/nodes/2'), question));
  const closed = profileOf(
    [
      { path: '/a', mode: 1 },
      { path: '/a/b', mode: 0 },
    ],
    [['/ip/k', '/a']],
  );
  expect(answerKey(closed, question)).not.toBe(answerKey(open('/nodes/1'), question));
});
