import type { StateView, Version } from '@metad/kv-store';
import type { ClientProfile } from '../access/client-profile.ts';
import { LeafReader, METADATA_LIMITS } from '../read/leaf-reader.ts';
import { readMetadataAtOnce } from '../read/metadata-read.ts';
import { type Found, sameFound } from '../render/found.ts';
import { MAX_STEP_LEAVES } from '../steps.ts';
import type { ChangeFeed } from './change-feed.ts';
import { mappingPart, scopeOf } from './query-scope.ts';

/** A client saw a path, at a version, under one profile; and looks at it now under another, or the same one. */
export interface Look {
  readonly path: string;
  readonly since: Version;
  readonly before: ClientProfile;
  readonly after: ClientProfile;
}

/** Compares, in one transaction, what clients saw with what they see now, and measures what that takes. */
export class ProfileComparison {
  readonly #view: StateView;
  readonly #feed: ChangeFeed;
  /** Many may wait for the same, and lose or gain the same. */
  readonly #known = new Map<string, boolean>();
  #steps = 0;

  /** The view is no newer than what the feed has delivered, or its changes do not matter. */
  constructor(view: StateView, feed: ChangeFeed) {
    this.#view = view;
    this.#feed = feed;
  }

  /** Whether a step is full: see Steps. */
  get isStepFull(): boolean {
    return this.#steps >= 1;
  }

  /** Something was looked at besides, that took as long as so many leaves. */
  count(leaves: number): void {
    this.#steps += leaves / MAX_STEP_LEAVES;
  }

  /** False only when it is known that the client sees what it saw. The feed covers its version. */
  seesOtherwise(look: Look): boolean {
    const unseen = this.#unseenLeaves(look);
    return unseen === null || this.#differs(look, unseen);
  }

  /**
   * Null when a leaf changed that the client saw, or would still see. Otherwise all that came where its old profile looks
   * and the present one does not: the client never saw it.
   */
  #unseenLeaves({ path, since, before, after }: Look): ReadonlySet<string> | null {
    const unseen = new Set<string>();
    const scope = scopeOf(before, path);
    if (!this.#feed.latest.concernsPaths(scope.interests, since)) return unseen;
    const scopeNow = before === after ? scope : scopeOf(after, path);
    const isSeen = (leaf: string, hasAppeared: boolean): boolean => {
      if (!scope.shows(leaf)) return false;
      if (scopeNow.shows(leaf)) return true;
      if (hasAppeared) unseen.add(leaf);
      return !unseen.has(leaf);
    };
    const wasSeen = this.#feed.someChangeAfter(since, (change) => {
      if (change.type !== 'data') return false;
      this.count(change.paths.length);
      return change.paths.some((leaf, i) => isSeen(leaf, i < change.appeared));
    });
    return wasSeen ? null : unseen;
  }

  /** Whether the present data, but for the unseen ones, answer the old profile otherwise than all of them the new one. */
  #differs({ path, before, after }: Look, unseen: ReadonlySet<string>): boolean {
    if (before.id === after.id) return false;
    if (unseen.size > 0) return this.#compare({ path, before, after }, unseen);
    const key = `${before.id} ${after.id} ${path}`;
    const known = this.#known.get(key);
    if (known !== undefined) return known;
    const differs = this.#compare({ path, before, after }, null);
    this.#known.set(key, differs);
    return differs;
  }

  #compare({ path, before, after }: Omit<Look, 'since'>, unseen: ReadonlySet<string> | null): boolean {
    if (mappingPart(before, path) !== mappingPart(after, path)) return true;
    const seen = this.#read(before, path, unseen);
    const sees = this.#read(after, path, null);
    // What is too much for one turn is not compared: an answer too many is harmless.
    return seen === null || sees === null || !sameFound(seen, sees);
  }

  #read(profile: ClientProfile, path: string, without: ReadonlySet<string> | null): Found | null {
    const reader = new LeafReader(this.#view, METADATA_LIMITS, without);
    const found = readMetadataAtOnce(reader, profile, path);
    this.#steps += reader.steps;
    return found;
  }
}
