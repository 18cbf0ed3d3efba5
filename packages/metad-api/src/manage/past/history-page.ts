import {
  type HistoryChange,
  type HistoryEntry,
  type StateView,
  type Version,
  version,
} from '@metad/kv-store';
import { type Checked, ok } from '../../http/problem.ts';
import { type Document, record } from '../../render/document.ts';
import { LOOK_LEAVES, StepMeter, type Steps } from '../../steps.ts';
import { changeDocument, isSameDocument, presentDocument, priorDocument } from './change-document.ts';
import { charactersIn, entriesOf } from './history-entries.ts';
import type { HistoryScope } from './history-scope.ts';
import { PastValues } from './past-values.ts';

export interface HistoryQuery {
  readonly scope: HistoryScope;
  /** Changes of this version and later ones are left out; null: none. */
  readonly before: Version | null;
  readonly limit: number;
}

/** A page ends with the change that makes it longer than this. */
const MAX_PAGE_CHARACTERS = 1024 * 1024;
/** What a change is taken to occupy besides its texts. */
const CHANGE_OVERHEAD_CHARACTERS = 64;

/** A page of the history, newest first, with what each change made of what it replaced. */
export function* readHistoryPage(view: StateView, query: HistoryQuery): Steps<Checked<Document>> {
  const present = view.version();
  const { before, scope, limit } = query;
  const newest = before === null ? present : version(Math.max(0, Math.min(present, before - 1)));
  const page = new HistoryPage({ newest, scope, limit });
  const meter = new StepMeter();
  for (const entry of entriesOf(view)) {
    if (!page.add(entry)) break;
    const changes = entry.changes ?? [];
    const characters = changes.reduce((sum, change) => sum + charactersIn(change), 0);
    if (meter.isFullWith(LOOK_LEAVES + changes.length, characters)) yield;
  }
  return ok(yield* page.document(view));
}

/** Takes every entry of the history once, those of the page from the newest to the oldest. */
class HistoryPage {
  readonly #newest: Version;
  readonly #scope: HistoryScope;
  readonly #limit: number;
  readonly #entries: HistoryEntry[] = [];
  #characters = 0;
  #hasMore = false;
  /** What the changes after the page replaced: it is what those of the page made. */
  readonly #later: PastValues;
  /** The first change after the page that nothing is known of. */
  #unknownFrom = Number.POSITIVE_INFINITY;

  constructor(options: { readonly newest: Version; readonly scope: HistoryScope; readonly limit: number }) {
    this.#newest = options.newest;
    this.#scope = options.scope;
    this.#limit = options.limit;
    this.#later = new PastValues(options.newest);
  }

  /** Whether older ones belong to the page, too. */
  add(entry: HistoryEntry): boolean {
    const changes = entry.changes?.filter((change) => this.#scope.covers(change)) ?? null;
    if (entry.version > this.#newest) {
      if (changes === null) this.#unknownFrom = Math.min(this.#unknownFrom, entry.version);
      for (const change of changes ?? []) this.#later.add(entry.version, change);
      return true;
    }
    if (changes?.length === 0) return true;
    if (this.#entries.length >= this.#limit || this.#characters > MAX_PAGE_CHARACTERS) {
      this.#hasMore = true;
      return false;
    }
    this.#entries.push({ ...entry, changes });
    for (const change of changes ?? []) this.#characters += charactersIn(change) + CHANGE_OVERHEAD_CHARACTERS;
    return true;
  }

  *document(view: StateView): Steps<Document> {
    const meter = new StepMeter();
    const after = new AfterValues((change) => this.#madeUntilLater(view, change));
    const changes: Document[] = [];
    for (const entry of this.#entries) {
      const document = yield* entryDocument(entry, after, meter);
      if (document !== null) changes.push(document);
    }
    const next = this.#hasMore ? (this.#entries.at(-1)?.version ?? null) : null;
    return record({ from: view.historyStart(), changes, next });
  }

  /** What the newest change of the page at a place made: it was there until a later one, or is there now. */
  #madeUntilLater(view: StateView, change: HistoryChange): Document | undefined {
    const { kind, path } = change;
    const later = this.#later.get(kind, path);
    if (later !== undefined && later.changedAt < this.#unknownFrom) return priorDocument(kind, later.value);
    return this.#unknownFrom === Number.POSITIVE_INFINITY ? presentDocument(view, change) : undefined;
  }
}

/** What each change made, when they are asked for from the newest to the oldest. */
class AfterValues {
  readonly #newest: (change: HistoryChange) => Document | undefined;
  readonly #replaced = new Map<string, Document>();
  #isCutOff = false;

  constructor(newest: (change: HistoryChange) => Document | undefined) {
    this.#newest = newest;
  }

  of(change: HistoryChange): Document | undefined {
    const known = this.#replaced.get(`${change.kind} ${change.path}`);
    return known === undefined && !this.#isCutOff ? this.#newest(change) : known;
  }

  /** `before` is what the change replaced, and so what the one before it made. */
  replace({ kind, path }: HistoryChange, before: Document): void {
    this.#replaced.set(`${kind} ${path}`, before);
  }

  /** Nothing is known of what a version replaced, nor so of what those before it made. */
  cutOff(): void {
    this.#replaced.clear();
    this.#isCutOff = true;
  }
}

/** Null when all that the version changed was undone by it, too. */
function* entryDocument(
  { version, time, author, changes }: HistoryEntry,
  values: AfterValues,
  meter: StepMeter,
): Steps<Document | null> {
  const head = { version, time: new Date(time).toISOString(), author };
  if (changes === null) {
    values.cutOff();
    return record({ ...head, changed: null });
  }
  const changed: Document[] = [];
  for (const change of changes) {
    const after = values.of(change);
    const before = priorDocument(change.kind, change.before);
    values.replace(change, before);
    const isUndone = after !== undefined && isSameDocument(before, after);
    if (!isUndone) changed.push(changeDocument(change, { before, after }));
    if (meter.isFullWith(LOOK_LEAVES, charactersIn(change))) yield;
  }
  return changed.length === 0 ? null : record({ ...head, changed });
}
