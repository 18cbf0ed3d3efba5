import { type Document, isObject, isScalar, type Scalar } from './document.ts';

/**
 * Puts a document into a format as its parts are told, in their order: a scalar, or what is between a begin and an end.
 * In an object each value comes behind its name, in an array behind `item`.
 */
export interface DocumentWriter {
  beginObject(): void;
  name(name: string): void;
  endObject(): void;
  beginArray(): void;
  item(): void;
  endArray(): void;
  scalar(value: Scalar): void;
  /** The text since the last call. */
  take(): string;
}

/** Writes all of `document`; the members of objects as they come. */
export function writeDocument(document: Document, writer: DocumentWriter): string {
  tell(document, writer);
  return writer.take();
}

/** The same as a part of what is written. */
export function tell(document: Document, writer: DocumentWriter): void {
  if (isScalar(document)) {
    writer.scalar(document);
  } else if (isObject(document)) {
    writer.beginObject();
    for (const [name, member] of document) {
      writer.name(name);
      tell(member, writer);
    }
    writer.endObject();
  } else {
    writer.beginArray();
    for (const item of document) {
      writer.item();
      tell(item, writer);
    }
    writer.endArray();
  }
}
