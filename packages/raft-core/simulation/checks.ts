import type { Invariant } from './invariant.ts';

/** Many invariants as one: each event goes to those that watch it, and to no others, for there are many events. */
export class Checks implements Required<Invariant> {
  readonly started: Required<Invariant>['started'];
  readonly moved: Required<Invariant>['moved'];
  readonly written: Required<Invariant>['written'];
  readonly persisted: Required<Invariant>['persisted'];
  readonly sent: Required<Invariant>['sent'];
  readonly applied: Required<Invariant>['applied'];
  readonly installed: Required<Invariant>['installed'];
  readonly ticked: Required<Invariant>['ticked'];
  readonly received: Required<Invariant>['received'];
  readonly readAsked: Required<Invariant>['readAsked'];
  readonly readIndexed: Required<Invariant>['readIndexed'];

  constructor(invariants: readonly Invariant[]) {
    this.started = all(invariants.flatMap((one) => one.started?.bind(one) ?? []));
    this.moved = all(invariants.flatMap((one) => one.moved?.bind(one) ?? []));
    this.written = all(invariants.flatMap((one) => one.written?.bind(one) ?? []));
    this.persisted = all(invariants.flatMap((one) => one.persisted?.bind(one) ?? []));
    this.sent = all(invariants.flatMap((one) => one.sent?.bind(one) ?? []));
    this.applied = all(invariants.flatMap((one) => one.applied?.bind(one) ?? []));
    this.installed = all(invariants.flatMap((one) => one.installed?.bind(one) ?? []));
    this.ticked = all(invariants.flatMap((one) => one.ticked?.bind(one) ?? []));
    this.received = all(invariants.flatMap((one) => one.received?.bind(one) ?? []));
    this.readAsked = all(invariants.flatMap((one) => one.readAsked?.bind(one) ?? []));
    this.readIndexed = all(invariants.flatMap((one) => one.readIndexed?.bind(one) ?? []));
  }
}

function all<A extends readonly unknown[]>(checks: readonly ((...of: A) => void)[]): (...of: A) => void {
  return (...of) => {
    for (const check of checks) check(...of);
  };
}
