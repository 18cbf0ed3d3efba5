import type { Version } from '@metad/kv-store';
import { type Answer, answerOf } from '../http/answer.ts';
import type { Checked } from '../http/problem.ts';
import { refused, type TreeQuestion } from '../read/tree-answers.ts';
import type { Document } from '../render/document.ts';
import { type Form, renderDocument } from '../render/render.ts';
import type { Steps } from '../steps.ts';

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

/** A question that is answered with such a document. It is read in steps, and rendered in one. */
export function documentQuestion(
  asked: Pick<TreeQuestion, 'key' | 'form' | 'version'>,
  read: () => Steps<Checked<Document>>,
): TreeQuestion {
  const { form, version } = asked;
  return {
    ...asked,
    *read() {
      const document = yield* read();
      if (document.type === 'problem') return refused(document.problem, form, version);
      return { type: 'made', answer: documentAnswer(document.value, form, { version }) };
    },
  };
}
