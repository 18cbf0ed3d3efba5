import type { ScriptProcess } from '../../e2e/script-process.ts';
import type { Operation } from './operation.ts';

/** One write that may have been applied. */
export interface RecordedWrite {
  readonly writer: number;
  readonly operation: Operation;
  /** The newest version that anybody had been given when it was sent. */
  readonly after: number;
  /** That it was answered with; null when its outcome is unknown. */
  readonly version: number | null;
}

/** One write of which a node said that nothing has happened, and nothing will. */
export interface RefusedWrite extends RecordedWrite {
  readonly reason: string;
}

/** What a client of the metadata API was shown. */
export interface Sight {
  readonly type: 'sight';
  /** Number of the client. */
  readonly client: number;
  readonly node: number;
  /** The process of the node that answered. */
  readonly process: ScriptProcess;
  readonly version: number;
  /** As `see` gives it. */
  readonly seen: string;
  /** The version that a wait began with, which ended before its time; null when nobody had to have a reason to answer. */
  readonly wokenFrom: number | null;
}

/** What the manage API of a node showed of the whole. */
export interface Audit {
  readonly type: 'audit';
  readonly node: number;
  readonly part: 'data' | 'mapping' | 'rules';
  readonly version: number;
  readonly seen: string;
}

export type Observation = Sight | Audit;

/** A request that a process took, and never answered. */
export interface Cut {
  readonly client: number;
  readonly node: number;
  readonly process: ScriptProcess;
  readonly heldMs: number;
}

/** Everything that was done and seen since it was last taken, on its way to be judged. */
export class Evidence {
  /** The newest version that anybody was given. */
  newest = 0;
  /** What is wrong whatever was written. */
  readonly problems: string[] = [];
  readonly cuts: Cut[] = [];
  #writes: RecordedWrite[] = [];
  #refused: RefusedWrite[] = [];
  #observations: Observation[] = [];

  write(write: RecordedWrite): void {
    this.#writes.push(write);
    this.newest = Math.max(this.newest, write.version ?? 0);
  }

  refuse(write: RefusedWrite): void {
    this.#refused.push(write);
  }

  observe(observation: Observation): void {
    this.#observations.push(observation);
    this.newest = Math.max(this.newest, observation.version);
  }

  takeWrites(): RecordedWrite[] {
    const writes = this.#writes;
    this.#writes = [];
    return writes;
  }

  takeRefused(): RefusedWrite[] {
    const refused = this.#refused;
    this.#refused = [];
    return refused;
  }

  takeObservations(): Observation[] {
    const observations = this.#observations;
    this.#observations = [];
    return observations;
  }
}
