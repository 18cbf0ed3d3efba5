/**
 * Work in steps, each of them about half a millisecond long: whoever runs it decides how many follow one another before
 * others have their turn. It holds nothing that has to be freed when it is not run to its end.
 */
export type Steps<T> = Generator<undefined, T, undefined>;

export const MAX_STEP_LEAVES = 512;
/** Of the values that are read or rendered. */
export const MAX_STEP_CHARACTERS = 64 * 1024;

/** A look into the database takes as long as so many leaves, besides those that it finds. */
export const LOOK_LEAVES = 4;

/**
 * As many are taken for a read in the turn in which it is asked for: some two thousand leaves, which are a few milliseconds
 * with what is made of them.
 */
export const MAX_STEPS_AT_ONCE = 4;

/** Measures one step after the other. */
export class StepMeter {
  #leaves = 0;
  #characters = 0;
  #fullSteps = 0;

  /** How many steps there were so far, with the part of the last one that is full. */
  get steps(): number {
    return this.#fullSteps + Math.max(this.#leaves / MAX_STEP_LEAVES, this.#characters / MAX_STEP_CHARACTERS);
  }

  /** Whether the step is full with these as well, so that the next one begins. */
  isFullWith(leaves: number, characters: number): boolean {
    this.#leaves += leaves;
    this.#characters += characters;
    if (this.#leaves < MAX_STEP_LEAVES && this.#characters < MAX_STEP_CHARACTERS) return false;
    this.#leaves = 0;
    this.#characters = 0;
    this.#fullSteps += 1;
    return true;
  }
}

/** All of it at once. */
export function finish<T>(steps: Steps<T>): T {
  for (;;) {
    const step = steps.next();
    if (step.done) return step.value;
  }
}

/** The first `maxSteps` of it; null when that is not all, and then it is given up. */
export function finishWithin<T extends object>(steps: Steps<T>, maxSteps: number): T | null {
  for (let count = 0; count < maxSteps; count += 1) {
    const step = steps.next();
    if (step.done) return step.value;
  }
  return null;
}

/** Lets all others have their turn. */
export function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
