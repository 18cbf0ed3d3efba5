import type { Document, Scalar } from './document.ts';
import { type DocumentWriter, writeDocument } from './document-writer.ts';

export interface JsonLayout {
  /** Indented by two spaces; else there is no blank in it. */
  readonly pretty: boolean;
}

/** No newline at the end. */
export function writeJson(document: Document, layout: JsonLayout): string {
  return writeDocument(document, new JsonWriter(layout));
}

export class JsonWriter implements DocumentWriter {
  readonly #colon: string;
  readonly #indent: string;
  /** The line break with the indentation of the members of what is open; empty where lines are not broken. */
  #newline: string;
  #isEmpty = true;
  #text = '';

  constructor({ pretty }: JsonLayout) {
    this.#colon = pretty ? ': ' : ':';
    this.#indent = pretty ? '  ' : '';
    this.#newline = pretty ? '\n' : '';
  }

  beginObject(): void {
    this.#begin('{');
  }

  name(name: string): void {
    this.item();
    this.#text += JSON.stringify(name) + this.#colon;
  }

  endObject(): void {
    this.#end('}');
  }

  beginArray(): void {
    this.#begin('[');
  }

  item(): void {
    this.#text += this.#isEmpty ? this.#newline : `,${this.#newline}`;
    this.#isEmpty = false;
  }

  endArray(): void {
    this.#end(']');
  }

  scalar(value: Scalar): void {
    this.#text += JSON.stringify(value);
  }

  take(): string {
    const text = this.#text;
    this.#text = '';
    return text;
  }

  #begin(bracket: string): void {
    this.#text += bracket;
    this.#newline += this.#indent;
    this.#isEmpty = true;
  }

  #end(bracket: string): void {
    this.#newline = this.#newline.slice(0, this.#newline.length - this.#indent.length);
    this.#text += this.#isEmpty ? bracket : this.#newline + bracket;
    this.#isEmpty = false;
  }
}
