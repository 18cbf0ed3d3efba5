import type { StateSource, StateView, Version } from '@metad/kv-store';
import { type Answer, answerOf, problemAnswer } from '../http/answer.ts';
import type { Body } from '../http/body.ts';
import { tagHeaders } from '../http/cache-headers.ts';
import { type Problem, unavailable } from '../http/problem.ts';
import type { Found } from '../render/found.ts';
import { type Form, renderFound } from '../render/render.ts';
import { finishWithin, MAX_STEPS_AT_ONCE, type Steps } from '../steps.ts';
import type { ChangeFeed } from '../wait/change-feed.ts';
import type { Clock } from '../wait/deadlines.ts';
import { type Asker, LongAnswer } from './long-answer.ts';
import { LongAnswers } from './long-answers.ts';
import { WaitingLine } from './waiting-line.ts';

/** What a read comes to: what is shown, which is rendered in steps as well, or the whole of the answer, made already. */
export type Reading =
  | Exclude<Found, { type: 'missing' }>
  | { readonly type: 'made'; readonly answer: Answer };

/** What is asked of the state at one version. */
export interface TreeQuestion {
  /** Equal for two that have one answer at one version. */
  readonly key: string;
  readonly form: Form;
  /** Of what is shown: that of the view, or an earlier one. */
  readonly version: Version;
  /** The answer, if it is there already. */
  readonly known?: Answer | undefined;
  /** Through the view that was asked. */
  read(): Steps<Reading>;
  /** Given what there is, what is answered instead of showing it; null: it is shown. */
  unchanged?(): Answer | null;
  /** Called with an answer that was made; what is sent. */
  keep?(answer: Answer): Answer;
}

/** Puts the question to a view. */
export type Ask = (view: StateView, version: Version) => TreeQuestion;

/** Each is a connection that waits, no more. */
const MAX_IN_LINE = 4096;

const BUSY = unavailable('too many large answers are asked for just now');

/** Answers that show the state, small or large: all of one version, and no longer than a moment of the thread at a time. */
export class TreeAnswers {
  readonly #state: StateSource;
  readonly #feed: ChangeFeed;
  readonly #long: LongAnswers;
  readonly #line = new WaitingLine(MAX_IN_LINE, BUSY);

  constructor(parts: { readonly state: StateSource; readonly feed: ChangeFeed; readonly clock: Clock }) {
    this.#state = parts.state;
    this.#feed = parts.feed;
    this.#long = new LongAnswers(parts.clock, () => this.#line.next());
    parts.feed.listen((changes) => {
      if (changes.some((change) => change.type === 'reset')) this.#long.forget();
    });
  }

  /** In the same turn, unless it is a large one. `form` is that of a problem. */
  answer(ask: Ask, form: Form, asker: Asker): Answer | Promise<Answer> {
    const first = this.#feed.read((view, version) => this.#answerAtOnce(view, version, ask));
    if (first !== null && !(first instanceof LongAnswer)) return first;
    if (first === null && this.#long.isFull) return this.#inLine(ask, form, asker);
    return this.#outcomeOf(first ?? this.#begin(ask), form, asker);
  }

  /** Asks again when it is this one's turn: the answer may be there by then, or on its way. */
  async #inLine(ask: Ask, form: Form, asker: Asker): Promise<Answer> {
    const turn = await this.#line.join(asker);
    if (turn.type !== 'ok') return problemAnswer(turn.problem, form, this.#feed.version);
    const answer = this.answer(ask, form, asker);
    // It may have needed no turn.
    if (!this.#long.isFull) this.#line.next();
    return answer;
  }

  /** Null for what is too large, or one that is being made. */
  #answerAtOnce(view: StateView, version: Version, ask: Ask): Answer | LongAnswer | null {
    const question = ask(view, version);
    if (question.known !== undefined) return question.known;
    const underWay = this.#long.find(version, question.key);
    const reading = underWay === null ? finishWithin(question.read(), MAX_STEPS_AT_ONCE) : null;
    if (reading === null) return question.unchanged?.() ?? underWay;
    if (reading.type === 'made') return kept(reading.answer, question);
    const unchanged = question.unchanged?.() ?? null;
    return (
      unchanged ?? kept(answerShowing([...renderFound(reading, question.form)].join(''), question), question)
    );
  }

  #begin(ask: Ask): LongAnswer {
    const cursor = this.#state.openCursor();
    try {
      return cursor.read((view) => {
        const version = view.version();
        this.#feed.noteVersion(version);
        const question = ask(view, version);
        const close = (): void => cursor.close();
        const steps = longAnswer(question, close);
        const { key } = question;
        return this.#long.begin({ version, key, steps, run: (step) => cursor.read(step), close });
      });
    } catch (error) {
      cursor.close();
      throw error;
    }
  }

  async #outcomeOf(long: LongAnswer, form: Form, asker: Asker): Promise<Answer> {
    const outcome = await long.join(asker);
    return outcome.type === 'ok' ? outcome.value : problemAnswer(outcome.problem, form, this.#feed.version);
  }
}

/** `close` is called when the view is needed no longer. */
function* longAnswer(question: TreeQuestion, close: () => void): Steps<Answer> {
  const reading = yield* question.read();
  close();
  if (reading.type === 'made') return kept(reading.answer, question);
  const pieces: Buffer[] = [];
  for (const piece of renderFound(reading, question.form)) {
    if (piece !== '') pieces.push(Buffer.from(piece));
    yield;
  }
  return kept(answerShowing(pieces, question), question);
}

/** What a read comes to that is answered with a problem. */
export function refused(problem: Problem, form: Form, version: Version): Reading {
  return { type: 'made', answer: problemAnswer(problem, form, version) };
}

function answerShowing(body: Body, { form, version }: TreeQuestion): Answer {
  return answerOf({ form, body, version, headers: tagHeaders(version, form.format) });
}

function kept(answer: Answer, question: TreeQuestion): Answer {
  return question.keep?.(answer) ?? answer;
}
