import { type Document, isScalar, type Scalar } from './document.ts';
import { isObject, membersOf } from './json-writer.ts';

/** Text that every version of YAML reads as a string: it begins like a word or a path, and holds no indicator. */
const PLAIN = /^[A-Za-z_/][A-Za-z0-9_./-]*$/;
/** Words that some version of YAML takes for a boolean, nothing or a number. */
const RESERVED = /^(?:true|false|yes|no|on|off|y|n|null|nan|inf)$/i;

/** YAML 1.2, 8.2.2: an implicit key takes at most 1024 characters. */
const MAX_IMPLICIT_KEY_LENGTH = 1000;

/**
 * Block style with a newline at the end. Strings are quoted wherever any YAML version could read something else, so
 * that every leaf comes back as the string that it is.
 */
export function writeYaml(document: Document, layout: { readonly sorted: boolean }): string {
  if (isScalar(document)) return `${writeScalar(document)}\n`;
  if (isEmpty(document)) return `${isObject(document) ? '{}' : '[]'}\n`;
  return `${writeLines(document, layout).join('\n')}\n`;
}

function writeLines(
  document: readonly Document[] | ReadonlyMap<string, Document>,
  layout: { readonly sorted: boolean },
): string[] {
  const lines: string[] = [];
  if (isObject(document)) {
    for (const [name, member] of membersOf(document, layout)) {
      const key = writeScalar(name);
      const inline = writeInline(member);
      // A key that long must be marked as one.
      const head = key.length > MAX_IMPLICIT_KEY_LENGTH ? `? ${key}\n:` : `${key}:`;
      if (inline !== null) lines.push(...`${head} ${inline}`.split('\n'));
      else lines.push(...head.split('\n'), ...indent(writeNested(member, layout)));
    }
  } else {
    for (const item of document) {
      const inline = writeInline(item);
      const [first = '', ...rest] = inline === null ? writeNested(item, layout) : [inline];
      lines.push(`- ${first}`, ...indent(rest));
    }
  }
  return lines;
}

/** What fits on the line of its key; null when it takes lines of its own. */
function writeInline(document: Document): string | null {
  if (isScalar(document)) return writeScalar(document);
  if (!isEmpty(document)) return null;
  return isObject(document) ? '{}' : '[]';
}

function writeNested(document: Document, layout: { readonly sorted: boolean }): string[] {
  return isScalar(document) ? [writeScalar(document)] : writeLines(document, layout);
}

function indent(lines: readonly string[]): string[] {
  return lines.map((line) => `  ${line}`);
}

function isEmpty(document: readonly Document[] | ReadonlyMap<string, Document>): boolean {
  return (isObject(document) ? document.size : document.length) === 0;
}

function writeScalar(value: Scalar): string {
  if (typeof value !== 'string') return String(value);
  if (PLAIN.test(value) && !RESERVED.test(value)) return value;
  // JSON's escapes are YAML's, too; JSON leaves some characters bare that YAML calls line breaks or does not allow.
  return JSON.stringify(value).replace(
    /[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}
