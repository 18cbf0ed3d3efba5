import { type AccessMode, type AccessRule, canonicalPath } from '@metad/kv-store';
import { z } from 'zod';
import { canonicalAddress } from '../http/ip-address.ts';
import { describePathExcess, findPathExcess, type PathLimits } from '../http/path-limits.ts';
import { badRequest, type Checked, invalidJson, ok, refuse } from '../http/problem.ts';
import type { RuleSets } from '../render/render.ts';
import { isJsonObject, type JsonValue } from './json-body.ts';

const RULE_LIST = z
  .array(z.object({ path: z.string(), mode: z.int().nullish() }))
  .nullable()
  .transform((rules) => rules ?? []);

type RuleBody = z.infer<typeof RULE_LIST>[number];

/** Reads `{host: [{path, mode}]}`. A rule without a mode forbids; `null` stands for an empty list. */
export function readRuleSets(document: JsonValue, limits: PathLimits): Checked<RuleSets> {
  if (!isJsonObject(document)) return refuse(invalidJson('rules are an object of hosts'));
  const ruleSets = new Map<string, readonly AccessRule[]>();
  for (const [host, list] of Object.entries(document)) {
    const parsed = RULE_LIST.safeParse(list);
    if (!parsed.success) return refuse(invalidJson(describe(host, parsed.error)));
    const address = canonicalAddress(host);
    if (address === null) return refuse(badRequest(`${JSON.stringify(host)} is no ip address`));
    if (ruleSets.has(address)) return refuse(badRequest(`the ip address ${address} is there twice`));
    const rules = readRules(address, parsed.data, limits);
    if (rules.type === 'problem') return rules;
    ruleSets.set(address, rules.value);
  }
  return ok([...ruleSets]);
}

function readRules(host: string, list: readonly RuleBody[], limits: PathLimits): Checked<AccessRule[]> {
  const rules = new Map<string, AccessRule>();
  for (const { path: written, mode } of list) {
    const path = canonicalPath(written.toWellFormed());
    const excess = findPathExcess(path, limits);
    if (excess !== null) return refuse(badRequest(describePathExcess(excess, limits)));
    if (!isAccessMode(mode ?? 0)) return refuse(badRequest(`the mode ${mode} is neither 0 nor 1`));
    if (rules.has(path)) return refuse(badRequest(`${host} has two rules for the path ${path}`));
    rules.set(path, { path, mode: mode === 1 ? 1 : 0 });
  }
  return ok([...rules.values()]);
}

function isAccessMode(mode: number): mode is AccessMode {
  return mode === 0 || mode === 1;
}

function describe(host: string, error: z.ZodError): string {
  const [issue] = error.issues;
  const place = (issue?.path ?? []).map((step) => `[${String(step)}]`).join('');
  return `rules of ${host}${place}: ${issue?.message ?? 'of another shape'}`;
}
