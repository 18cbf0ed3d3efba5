import type { StateView } from '@metad/kv-store';
import type { ClientProfile } from '../access/client-profile.ts';
import { LeafReader, METADATA_LIMITS } from '../read/leaf-reader.ts';
import { readMetadataAtOnce } from '../read/metadata-read.ts';
import { type Found, sameFound } from '../render/found.ts';
import { MAX_STEP_LEAVES } from '../steps.ts';
import { mappingPart } from './query-scope.ts';

/** Compares, in one transaction, what paths show under two profiles, and measures what that takes. */
export class ProfileComparison {
  readonly #view: StateView;
  /** Many may wait for the same, and lose or gain the same. */
  readonly #known = new Map<string, boolean>();
  #steps = 0;

  constructor(view: StateView) {
    this.#view = view;
  }

  /** Whether a step is full: see Steps. */
  get isStepFull(): boolean {
    return this.#steps >= 1;
  }

  /** Something was looked at besides, that took as long as so many leaves. */
  count(leaves: number): void {
    this.#steps += leaves / MAX_STEP_LEAVES;
  }

  /** Whether a client with one profile is answered otherwise than one with the other. */
  differs(path: string, one: ClientProfile, other: ClientProfile): boolean {
    if (one.id === other.id) return false;
    const key = `${one.id} ${other.id} ${path}`;
    const known = this.#known.get(key);
    if (known !== undefined) return known;
    const differs = this.#compare(path, one, other);
    this.#known.set(key, differs);
    return differs;
  }

  #compare(path: string, one: ClientProfile, other: ClientProfile): boolean {
    if (mappingPart(one, path) !== mappingPart(other, path)) return true;
    const before = this.#read(one, path);
    const after = this.#read(other, path);
    // What is too much for one turn is not compared: an answer too many is harmless.
    return before === null || after === null || !sameFound(before, after);
  }

  #read(profile: ClientProfile, path: string): Found | null {
    const reader = new LeafReader(this.#view, METADATA_LIMITS);
    const found = readMetadataAtOnce(reader, profile, path);
    this.#steps += reader.steps;
    return found;
  }
}
