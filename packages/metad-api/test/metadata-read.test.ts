import type { AccessRule, Command, Leaf } from '@metad/kv-store';
import fc from 'fast-check';
import { expect, onTestFinished, test } from 'vitest';
import { Access } from '../src/access/access.ts';
import type { ClientProfile } from '../src/access/client-profile.ts';
import { InProcessReplica } from './in-process-replica.ts';
import { readWhole } from './whole-reads.ts';

const path = fc
  .array(fc.constantFrom('a', 'b', 'c', 'a-b'), { minLength: 1, maxLength: 4 })
  .map((names) => `/${names.join('/')}`);
const rulePath = fc
  .array(fc.constantFrom('a', 'b', '*'), { maxLength: 3 })
  .map((names) => `/${names.join('/')}`);
const rules: fc.Arbitrary<AccessRule[]> = fc.uniqueArray(
  fc.record({ path: rulePath, mode: fc.constantFrom(0 as const, 1 as const) }),
  { selector: (rule) => rule.path, maxLength: 6 },
);

test('a read shows every leaf that may be read, in order, and nothing else', () => {
  const replica = new InProcessReplica();
  onTestFinished(() => replica.close());
  fc.assert(
    fc.property(
      fc.array(fc.tuple(path, fc.string())),
      rules,
      fc.oneof(path, fc.constant('/')),
      (leaves, list, asked) => {
        const command: Command = {
          type: 'replace',
          tree: 'data',
          path: '/',
          leaves: leaves.map(([at, value]): Leaf => [at, value.toWellFormed()]),
        };
        replica.applyAll([command]);
        const access = Access.ofRules(list);
        const profile: ClientProfile = { id: 1, access, mapping: null, hasRules: true };
        replica.state.read((view) => {
          const expected = view.leaves('data', asked).filter(([leaf]) => access.allows(leaf));
          const found = readWhole(view, profile, asked);
          const [first] = expected;
          if (first?.[0] === asked) expect(found).toEqual({ type: 'leaf', value: first[1] });
          else if (first === undefined && asked !== '/') expect(found).toEqual({ type: 'missing' });
          else {
            const relative = expected.map(([leaf, value]) => [
              asked === '/' ? leaf : leaf.slice(asked.length),
              value,
            ]);
            expect(found).toEqual({ type: 'tree', leaves: relative, emptyTrees: [] });
          }
        });
      },
    ),
    { numRuns: 300 },
  );
});
