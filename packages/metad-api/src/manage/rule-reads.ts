import type { StateView } from '@metad/kv-store';
import { type Checked, ok, refuse, tooLarge } from '../http/problem.ts';
import type { ReadLimits } from '../read/leaf-reader.ts';
import type { RuleSets } from '../render/render.ts';
import { compareUtf8 } from '../render/utf8-order.ts';
import { LOOK_LEAVES, StepMeter, type Steps } from '../steps.ts';

type RuleSet = RuleSets[number];

/** How many hosts' rules are read at once: a host has some tens of rules at most, as a rule. */
const PAGE_HOSTS = 32;

/** The rules of these hosts, or of all with null, in the order of the hosts. A host without rules counts as one rule. */
export function* readStoredRules(
  view: StateView,
  hosts: ReadonlySet<string> | null,
  limits: ReadLimits,
): Steps<Checked<RuleSets>> {
  const meter = new StepMeter();
  const taken: RuleSet[] = [];
  let count = 0;
  let bytes = 0;
  for (const [host, rules] of hosts === null ? allRuleSets(view) : ruleSetsOf(view, hosts)) {
    const characters = rules.reduce((sum, { path }) => sum + path.length, host.length);
    count += Math.max(1, rules.length);
    bytes += characters;
    if (count > limits.maxLeaves || bytes > limits.maxBytes) return refuse(tooManyRules(limits));
    taken.push([host, rules]);
    if (meter.isFullWith(LOOK_LEAVES + rules.length, characters)) yield;
  }
  return ok(taken);
}

function* allRuleSets(view: StateView): Generator<RuleSet> {
  let after: string | null = null;
  for (;;) {
    const page: readonly RuleSet[] = view.rulesPage(after, PAGE_HOSTS);
    yield* page;
    if (page.length < PAGE_HOSTS) return;
    after = page.at(-1)?.[0] ?? null;
  }
}

function* ruleSetsOf(view: StateView, hosts: ReadonlySet<string>): Generator<RuleSet> {
  for (const host of [...hosts].sort(compareUtf8)) {
    const rules = view.rules(host);
    if (rules !== undefined) yield [host, rules];
  }
}

function tooManyRules({ maxLeaves, maxBytes }: ReadLimits) {
  const most = `${maxLeaves} rules or ${maxBytes / 1024 / 1024} MiB`;
  return tooLarge(`this is more than ${most}: name the clients that you want, with hosts=IP,IP`);
}
