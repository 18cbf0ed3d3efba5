import { type Document, isScalar } from './document.ts';
import { compareUtf8 } from './utf8-order.ts';

/** `sorted`: write the members of each object in the order of their names' UTF-8 bytes, not as they come. */
export interface JsonLayout {
  readonly pretty: boolean;
  readonly sorted: boolean;
}

/** Compact, or indented by two spaces; no newline at the end. */
export function writeJson(document: Document, layout: JsonLayout): string {
  return layout.pretty ? writePretty(document, layout, '\n') : writeCompact(document, layout);
}

function writeCompact(document: Document, layout: JsonLayout): string {
  if (isScalar(document)) return JSON.stringify(document);
  if (!isObject(document)) return `[${document.map((item) => writeCompact(item, layout)).join(',')}]`;
  let text = '{';
  for (const [name, member] of membersOf(document, layout)) {
    const comma = text.length > 1 ? ',' : '';
    text += `${comma}${JSON.stringify(name)}:${writeCompact(member, layout)}`;
  }
  return `${text}}`;
}

/** `newline` is the line break with the indentation of the line that `document` stands on. */
function writePretty(document: Document, layout: JsonLayout, newline: string): string {
  if (isScalar(document)) return JSON.stringify(document);
  const deeper = `${newline}  `;
  if (!isObject(document)) {
    const items = document.map((item) => deeper + writePretty(item, layout, deeper));
    return items.length === 0 ? '[]' : `[${items.join(',')}${newline}]`;
  }
  const members = membersOf(document, layout).map(
    ([name, member]) => `${deeper}${JSON.stringify(name)}: ${writePretty(member, layout, deeper)}`,
  );
  return members.length === 0 ? '{}' : `{${members.join(',')}${newline}}`;
}

/** The members of an object in the order in which they are written. */
export function membersOf(
  object: ReadonlyMap<string, Document>,
  layout: { readonly sorted: boolean },
): (readonly [string, Document])[] {
  const members = [...object];
  return layout.sorted ? members.sort(([a], [b]) => compareUtf8(a, b)) : members;
}

export function isObject(
  document: readonly Document[] | ReadonlyMap<string, Document>,
): document is ReadonlyMap<string, Document> {
  return document instanceof Map;
}
