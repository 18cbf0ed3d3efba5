import type { Document, Scalar } from './document.ts';
import { type DocumentWriter, writeDocument } from './document-writer.ts';

/** Text that every version of YAML reads as a string: it begins like a word or a path, and holds no indicator. */
const PLAIN = /^[A-Za-z_/][A-Za-z0-9_./-]*$/;
/** Words that some version of YAML takes for a boolean, nothing or a number. */
const RESERVED = /^(?:true|false|yes|no|on|off|y|n|null|nan|inf)$/i;

/** YAML 1.2, 8.2.2: an implicit key takes at most 1024 characters. */
const MAX_IMPLICIT_KEY_LENGTH = 1000;

export function writeYaml(document: Document): string {
  return writeDocument(document, new YamlWriter());
}

/**
 * Block style with a newline at the end. Strings are quoted wherever any YAML version could read something else, so
 * that every leaf comes back as the string that it is.
 */
export class YamlWriter implements DocumentWriter {
  #depth = 0;
  /** Of the members of what is open. */
  #indent = '';
  /** What the text ends with. */
  #at: 'line' | 'key' | 'dash' = 'line';
  /** Whether an object or array begins there of which nothing is written: an empty one stays on the line. */
  #isEmpty = false;
  #text = '';

  beginObject(): void {
    this.#begin();
  }

  name(name: string): void {
    this.#startLine();
    const key = textOf(name);
    // A key that long must be marked as one.
    this.#text += key.length > MAX_IMPLICIT_KEY_LENGTH ? `? ${key}\n${this.#indent}:` : `${key}:`;
    this.#at = 'key';
  }

  endObject(): void {
    this.#end('{}');
  }

  beginArray(): void {
    this.#begin();
  }

  item(): void {
    this.#startLine();
    this.#text += '-';
    this.#at = 'dash';
  }

  endArray(): void {
    this.#end('[]');
  }

  scalar(value: Scalar): void {
    this.#writeInline(textOf(value));
  }

  take(): string {
    const text = this.#text;
    this.#text = '';
    return text;
  }

  #begin(): void {
    this.#isEmpty = true;
    this.#depth += 1;
    if (this.#depth > 1) this.#indent += '  ';
  }

  #end(empty: string): void {
    if (this.#isEmpty) this.#writeInline(empty);
    this.#isEmpty = false;
    this.#depth -= 1;
    this.#indent = this.#indent.slice(2);
  }

  /** To where a member of what is open begins. */
  #startLine(): void {
    // The first member of an item stands on the line of its dash.
    if (this.#at === 'dash') this.#text += ' ';
    else this.#text += this.#at === 'key' ? `\n${this.#indent}` : this.#indent;
    this.#isEmpty = false;
  }

  #writeInline(text: string): void {
    this.#text += this.#at === 'line' ? `${text}\n` : ` ${text}\n`;
    this.#at = 'line';
  }
}

function textOf(value: Scalar): string {
  if (typeof value !== 'string') return String(value);
  if (PLAIN.test(value) && !RESERVED.test(value)) return value;
  // JSON's escapes are YAML's, too; JSON leaves some characters bare that YAML calls line breaks or does not allow.
  return JSON.stringify(value).replace(
    /[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}
