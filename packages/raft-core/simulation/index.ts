export { COVERED, Coverage, type Covered } from './coverage.ts';
export { TICK } from './event-queue.ts';
export type { Profile } from './profile.ts';
export { Random } from './random.ts';
export type { AppliedState, SimulatedStore, Snapshot, StoreFactory } from './simulated-store.ts';
export { type SimulationOptions, type SimulationResult, simulate } from './simulation.ts';
export type { StoreFate } from './store-fate.ts';
export type { Write } from './write.ts';
