import { type AccessRule, decodeRules, type HistoryChange, type StateView } from '@metad/kv-store';
import { type Document, isScalar, record } from '../../render/document.ts';
import { writeJson } from '../../render/json-writer.ts';

/** Where a change was. */
type Place = Pick<HistoryChange, 'kind' | 'path'>;

/** What is there now: the own value, shown or hidden, or the list of rules; null: nothing. */
export function presentDocument(view: StateView, { kind, path }: Place): Document {
  if (kind !== 'rules') return view.value(kind, path) ?? null;
  const rules = view.rules(path);
  return rules === undefined ? null : rulesDocument(rules);
}

/** What was there, as the history keeps it. */
export function priorDocument(kind: Place['kind'], before: string | null): Document {
  return before === null || kind !== 'rules' ? before : rulesDocument(decodeRules(before));
}

/** `after` is left out where it is not known. */
export function changeDocument(
  { kind, path }: Place,
  { before, after }: { readonly before: Document; readonly after: Document | undefined },
): Document {
  const known = after === undefined ? {} : { after };
  return record({ kind: kind === 'rules' ? 'rule' : kind, path, before, ...known });
}

export function isSameDocument(a: Document, b: Document): boolean {
  if (isScalar(a) || isScalar(b)) return a === b;
  return writeJson(a, AS_IT_IS) === writeJson(b, AS_IT_IS);
}

/** About how many characters it takes in an answer. */
export function lengthOf(document: Document): number {
  return typeof document === 'string' ? document.length : writeJson(document, AS_IT_IS).length;
}

const AS_IT_IS = { pretty: false };

function rulesDocument(rules: readonly AccessRule[]): Document {
  return rules.map(({ path, mode }) => record({ path, mode }));
}
