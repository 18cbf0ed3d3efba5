import type { AccessRule, Leaf } from '@metad/kv-store';
import type { Format } from '../http/negotiate.ts';
import type { Problem } from '../http/problem.ts';
import { StepMeter } from '../steps.ts';
import { type Document, record } from './document.ts';
import { type DocumentWriter, tell } from './document-writer.ts';
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

/** In pieces of text, of which each takes a step. */
export function* renderRuleSets(ruleSets: RuleSets, form: Form): Generator<string> {
  const lines: string[] = [];
  const writer = form.format === 'yaml' ? new YamlWriter() : new JsonWriter(form);
  const isText = form.format === 'text';
  const take = (): string => (isText ? lines.splice(0).join('') : writer.take());
  const meter = new StepMeter();
  if (!isText) writer.beginObject();
  for (const [host, rules] of ruleSets) {
    if (isText) lines.push(...textLines(ruleLeaves(host, rules)));
    else tellRules(host, rules, writer);
    const characters = rules.reduce((sum, { path }) => sum + path.length, host.length);
    if (meter.isFullWith(1 + rules.length, characters)) yield take();
  }
  if (!isText) writer.endObject();
  yield take();
}

function tellRules(host: string, rules: readonly AccessRule[], writer: DocumentWriter): void {
  writer.name(host);
  const list = rules.map(({ path, mode }) => record({ path, mode }));
  tell(list, writer);
}

/** Any other document of ours, such as that of `/health`; text shows it as JSON. */
export function renderDocument(document: Document, form: Form): string {
  return form.format === 'yaml' ? writeYaml(document) : writeJson(document, form);
}

/** Sorted; those of one host come before those of the next, as no name of a host goes on behind another with a dot. */
function ruleLeaves(host: string, rules: readonly AccessRule[]): Leaf[] {
  const leaves = rules.flatMap(({ path, mode }, i): Leaf[] => [
    [`/${host}/${i}/mode`, String(mode)],
    [`/${host}/${i}/path`, path],
  ]);
  return leaves.sort(([a], [b]) => compareUtf8(a, b));
}
