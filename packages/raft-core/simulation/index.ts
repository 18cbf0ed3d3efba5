export { Clients } from './clients.ts';
export { COVERED, Coverage, type Covered } from './coverage.ts';
export { TICK } from './event-queue.ts';
export {
  type CheckOptions,
  checkLinearizable,
  type Linearizable,
  type Undecided,
  type Verdict,
} from './linearizability.ts';
export { describeViolation } from './linearizability-report.ts';
export type { Violation } from './linearizability-violation.ts';
export { MemoryStore } from './memory-store.ts';
export { FAULTS, type Fault } from './nemesis.ts';
export { nearby } from './network.ts';
export type { Delete, Operation, Put, Read, ReadOutcome, WriteOutcome } from './operation.ts';
export { drawProfile, type Profile } from './profile.ts';
export { Random } from './random.ts';
export { recover } from './recovery.ts';
export { SimulatedCluster } from './simulated-cluster.ts';
export type { AppliedState, SimulatedStore, Snapshot, StoreFactory } from './simulated-store.ts';
export { type SimulationOptions, type SimulationResult, simulate } from './simulation.ts';
export type { StoreFate } from './store-fate.ts';
export type { Write } from './write.ts';
