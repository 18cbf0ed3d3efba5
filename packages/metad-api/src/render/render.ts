import type { AccessRule, Leaf } from '@metad/kv-store';
import type { Format } from '../http/negotiate.ts';
import type { Problem } from '../http/problem.ts';
import { type Document, documentOf, record } from './document.ts';
import type { Found } from './found.ts';
import { writeJson } from './json-writer.ts';
import { compareUtf8 } from './utf8-order.ts';
import { writeYaml } from './yaml-writer.ts';

/** The form of an answer. `pretty` means something in JSON only. */
export interface Form {
  readonly format: Format;
  readonly pretty: boolean;
}

/** Hosts and their rules, sorted by host. */
export type RuleSets = readonly (readonly [host: string, rules: readonly AccessRule[]])[];

const CONFIRMATION = record({ code: 200, type: 'OK' });

export function renderFound(found: Exclude<Found, { type: 'missing' }>, form: Form): string {
  if (form.format === 'text') return found.type === 'leaf' ? found.value : textOf(found.leaves);
  return renderDocument(found.type === 'leaf' ? found.value : documentOf(found), form, { sorted: true });
}

export function renderConfirmation(form: Form): string {
  return form.format === 'text' ? 'OK' : renderDocument(CONFIRMATION, form, { sorted: false });
}

export function renderProblem(problem: Problem, form: Form): string {
  if (form.format === 'text') return `${problem.message}\n`;
  const { status, message } = problem;
  return renderDocument(record({ code: status, message, type: 'ERROR' }), form, { sorted: false });
}

export function renderRuleSets(ruleSets: RuleSets, form: Form): string {
  if (form.format === 'text') return textOf(ruleLeaves(ruleSets));
  const hosts = new Map(
    ruleSets.map(([host, rules]): [string, Document] => [
      host,
      rules.map(({ path, mode }) => record({ path, mode })),
    ]),
  );
  return renderDocument(hosts, form, { sorted: false });
}

/** Any other document of ours, such as that of `/health`; text shows it as JSON. */
export function renderDocument(document: Document, form: Form, order: { readonly sorted: boolean }): string {
  if (form.format === 'yaml') return writeYaml(document, order);
  return writeJson(document, { pretty: form.pretty, sorted: order.sorted });
}

/** One line per leaf, nothing escaped. */
function textOf(leaves: readonly Leaf[]): string {
  let text = '';
  for (const [path, value] of leaves) text += `${path}\t${value}\n`;
  return text;
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
