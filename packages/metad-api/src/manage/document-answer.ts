import type { Version } from '@metad/kv-store';
import { type Answer, answerOf } from '../http/answer.ts';
import type { Document } from '../render/document.ts';
import { type Form, renderDocument } from '../render/render.ts';

/** An answer that is a document and no tree of leaves: it has no form as text, who asks for that gets JSON. */
export function documentAnswer(
  document: Document,
  form: Form,
  options: { readonly version: Version; readonly headers?: Readonly<Record<string, string>> },
): Answer {
  const shown = documentForm(form);
  return answerOf({ form: shown, body: renderDocument(document, shown), ...options });
}

/** The form that such a document gets. */
export function documentForm(form: Form): Form {
  return form.format === 'text' ? { ...form, format: 'json' } : form;
}
