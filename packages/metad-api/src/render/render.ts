import type { AccessRule, Leaf } from '@metad/kv-store';
import type { Format } from '../http/negotiate.ts';
import type { Problem } from '../http/problem.ts';
import { type Document, record } from './document.ts';
import type { Found } from './found.ts';
import { JsonWriter, writeJson } from './json-writer.ts';
import { textLines, writeTree } from './tree-writer.ts';
import { compareUtf8 } from './utf8-order.ts';
import { writeYaml, YamlWriter } from './yaml-writer.ts';

/** The form of an answer. `pretty` means something in JSON only. */
export interface Form {
  readonly format: Format;
  readonly pretty: boolean;
}

/** Different for forms that differ. */
export function nameOf({ format, pretty }: Form): string {
  return pretty ? `${format}+` : format;
}

/** Hosts and their rules, sorted by host. */
export type RuleSets = readonly (readonly [host: string, rules: readonly AccessRule[]])[];

const CONFIRMATION = record({ code: 200, type: 'OK' });

/** What is there, in pieces of text of which each takes a step; some may be empty. */
export function* renderFound(found: Exclude<Found, { type: 'missing' }>, form: Form): Generator<string> {
  if (found.type === 'leaf') yield form.format === 'text' ? found.value : renderDocument(found.value, form);
  else if (form.format === 'text') yield* textLines(found.leaves);
  else yield* writeTree(found, form.format === 'yaml' ? new YamlWriter() : new JsonWriter(form));
}

export function renderConfirmation(form: Form): string {
  return form.format === 'text' ? 'OK' : renderDocument(CONFIRMATION, form);
}

export function renderProblem(problem: Problem, form: Form): string {
  if (form.format === 'text') return `${problem.message}\n`;
  const { status, message } = problem;
  return renderDocument(record({ code: status, message, type: 'ERROR' }), form);
}

export function renderRuleSets(ruleSets: RuleSets, form: Form): string {
  if (form.format === 'text') return [...textLines(ruleLeaves(ruleSets))].join('');
  const hosts = new Map(
    ruleSets.map(([host, rules]): [string, Document] => [
      host,
      rules.map(({ path, mode }) => record({ path, mode })),
    ]),
  );
  return renderDocument(hosts, form);
}

/** Any other document of ours, such as that of `/health`; text shows it as JSON. */
export function renderDocument(document: Document, form: Form): string {
  return form.format === 'yaml' ? writeYaml(document) : writeJson(document, form);
}

function ruleLeaves(ruleSets: RuleSets): Leaf[] {
  const leaves = ruleSets.flatMap(([host, rules]) =>
    rules.flatMap(({ path, mode }, i): Leaf[] => [
      [`/${host}/${i}/mode`, String(mode)],
      [`/${host}/${i}/path`, path],
    ]),
  );
  return leaves.sort(([a], [b]) => compareUtf8(a, b));
}
