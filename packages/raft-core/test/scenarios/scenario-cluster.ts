import { Checks } from '../../simulation/checks.ts';
import { CommittedLog } from '../../simulation/invariants/committed-log.ts';
import { everyInvariant } from '../../simulation/invariants/every-invariant.ts';
import type { DiskWrite } from '../../simulation/memory-disk.ts';
import type { Snapshot } from '../../simulation/simulated-store.ts';
import { AssertionError, assert } from '../../src/assert.ts';
import { bootstrapLog } from '../../src/bootstrap.ts';
import { DEFAULT_RAFT_LIMITS, type RaftConfig } from '../../src/config.ts';
import type { Entry } from '../../src/entry.ts';
import type { NodeId } from '../../src/ids.ts';
import { checkStep, checkTick } from '../../src/input-invariants.ts';
import { checkInvariants, checkTransition } from '../../src/invariants.ts';
import type { Membership } from '../../src/membership.ts';
import type { InstallSnapshot, Message, ReadId } from '../../src/message.ts';
import { Raft } from '../../src/raft.ts';
import type { HardState, Ready } from '../../src/ready.ts';
import { checkReady } from '../../src/ready-invariants.ts';
import type { RaftStatus } from '../../src/status.ts';
import { isEmpty, PARTS, type Part, ScenarioNode } from './scenario-node.ts';
import {
  changesText,
  entriesText,
  logIdText,
  messageText,
  nodeText,
  readyText,
  startTexts,
  writeText,
} from './trace.ts';

/** A message on its way, with what an installSnapshot carries. */
export interface InFlight {
  readonly message: Message;
  readonly snapshot: Snapshot | null;
}

/** Where a trace goes. `change`: a node's state is another; `detail`: all else that happens. */
export interface TraceSink {
  change(line: string): void;
  detail(line: string): void;
}

/**
 * Whole nodes whose every move is made by hand: nothing is delivered, ticked or persisted unless told so. Each input
 * is checked; a node whose assertion fails stops, and the trace says why. A story in which an invariant of the whole
 * cluster is broken ends there.
 */
export class ScenarioCluster {
  readonly nodes = new Map<NodeId, ScenarioNode>();
  inFlight: InFlight[] = [];
  /** `from>to` pairs that lose what is sent from now on. */
  readonly cut = new Set<string>();
  readonly #limits: typeof DEFAULT_RAFT_LIMITS;
  readonly #trace: TraceSink;
  readonly #committed = new CommittedLog();
  readonly #checks: Checks;

  constructor(limits: Partial<RaftConfig>, trace: TraceSink) {
    this.#limits = { ...DEFAULT_RAFT_LIMITS, ...limits };
    this.#trace = trace;
    this.#checks = new Checks(everyInvariant(this.#committed, this.#limits));
  }

  get running(): ScenarioNode[] {
    return [...this.nodes.values()].filter(({ raft }) => raft !== null);
  }

  node(id: NodeId): ScenarioNode {
    const node = this.nodes.get(id);
    if (node === undefined) throw new Error(`there is no ${nodeText(id)}`);
    return node;
  }

  /** Members start with the membership at 1.1, committed and applied; standbys with nothing. */
  form(membership: Membership, standbys: readonly NodeId[]): void {
    const { entry, hardState } = bootstrapLog(membership);
    const ids = [...membership.nodes.keys(), ...standbys];
    for (const id of ids.sort((a, b) => a - b)) {
      this.nodes.set(id, new ScenarioNode(id));
      if (!standbys.includes(id)) this.putDisk(id, { log: [entry], hardState });
    }
    this.start([...this.nodes.values()]);
  }

  /** What is committed there is applied, too. The node is down until it is started. */
  putDisk(
    id: NodeId,
    { log, hardState }: { readonly log: readonly Entry[]; readonly hardState: HardState },
  ): void {
    const node = this.node(id);
    this.wipe(node);
    this.#write(node, { snapshot: null, entries: log, hardState, mustSync: true });
    const committed = log.slice(0, hardState.committed);
    node.store.apply(committed);
    node.store.checkpoint();
    for (const entry of committed) this.#committed.add(entry, hardState.term);
  }

  start(nodes: readonly ScenarioNode[]): void {
    for (const line of startTexts(nodes.map((node) => this.#start(node)))) this.#trace.detail(line);
  }

  #start(node: ScenarioNode): RaftStatus {
    if (node.raft !== null) throw new Error(`${nodeText(node.id)} is running`);
    const initial = node.store.initialState();
    this.#checks.started(node, initial);
    node.raft = new Raft(this.#config(node), initial, node.disk);
    node.starts += 1;
    const status = node.raft.status();
    checkInvariants(status);
    return status;
  }

  /**
   * A node's draws are always the same, so that n1 waits for one election timeout, n2 for 1.3, n3 for 1.6 and so on.
   * The first of a start is where the ids of its forwarded reads begin: small numbers, another hundred for each node.
   */
  #config({ id, starts }: ScenarioNode): RaftConfig {
    let draws = 0;
    const firstReadId = 100 * id + 10 * starts;
    const wait = (((id - 1) * 3) % 10) / 10;
    const random = () => (draws++ === 0 ? firstReadId / 2 ** 52 : wait);
    return { ...this.#limits, id, random };
  }

  /** Loses what was not synced, and the Ready that was out. */
  crash(node: ScenarioNode): void {
    node.raft = null;
    node.turn = null;
    node.received.clear();
    node.store.crash({ loseUnsynced: true });
  }

  /** The node comes back, if at all, with its id on an empty disk. */
  wipe(node: ScenarioNode): void {
    this.crash(node);
    node.replaceDisk();
  }

  /**
   * Gives one input to a node and traces what it changed, behind `cause` when there is one. Undefined when an assertion
   * failed: then the node is down.
   */
  input<T>(
    node: ScenarioNode,
    cause: string | null,
    act: (raft: Raft) => T,
    check?: (before: RaftStatus, after: RaftStatus) => void,
  ): T | undefined {
    const { raft } = node;
    if (raft === null) throw new Error(`${nodeText(node.id)} is down`);
    try {
      const before = raft.status();
      const result = act(raft);
      const after = raft.status();
      checkInvariants(after);
      checkTransition(before, after);
      this.#checks.moved({ node, before, after }, [...this.nodes.values()]);
      check?.(before, after);
      const changes = changesText(before, after);
      if (changes !== '')
        this.#trace.change(cause === null ? `${nodeText(node.id)} ${changes}` : `${cause}: ${changes}`);
      else if (cause !== null) this.#trace.detail(cause);
      return result;
    } catch (error) {
      if (!(error instanceof AssertionError)) throw error;
      if (cause !== null) this.#trace.change(cause);
      this.#trace.change(`${nodeText(node.id)} stops: ${error.message}`);
      this.crash(node);
      return undefined;
    }
  }

  tick(node: ScenarioNode): void {
    this.input(
      node,
      null,
      (raft) => raft.tick(),
      (before, after) => {
        checkTick(before, after);
        this.#checks.ticked(node, after);
      },
    );
  }

  read(node: ScenarioNode, id: ReadId): void {
    this.#checks.readAsked(node, id);
    this.input(node, null, (raft) => raft.readIndex(id));
  }

  deliver(sent: readonly InFlight[]): void {
    this.inFlight = this.inFlight.filter((one) => !sent.includes(one));
    for (const one of sent) this.#deliverOne(one);
  }

  #deliverOne({ message, snapshot }: InFlight): void {
    const node = this.node(message.to);
    const { from, to, type } = message;
    if (node.raft === null) {
      this.#trace.detail(`${messageText(message, '↛')}: ${nodeText(to)} is down`);
      return;
    }
    if (snapshot !== null) node.received.set(snapshot.meta.last.index, snapshot);
    const check = (before: RaftStatus, after: RaftStatus) => {
      checkStep(before, message, after);
      this.#checks.received(node, message, after);
    };
    this.input(node, `${nodeText(to)} ← ${nodeText(from)}  ${type}`, (raft) => raft.step(message), check);
  }

  drop(sent: readonly InFlight[]): void {
    this.inFlight = this.inFlight.filter((one) => !sent.includes(one));
    for (const { message } of sent) this.#trace.detail(messageText(message, '↛'));
  }

  takeReady(node: ScenarioNode): Ready | undefined {
    if (node.raft?.hasReady() !== true) return undefined;
    const ready = this.input(node, null, (raft) => {
      const taken = raft.ready();
      checkReady(raft.status(), taken);
      return taken;
    });
    if (ready !== undefined) node.turn = { ready, left: [...PARTS] };
    return ready;
  }

  /** Takes a Ready and says which parts it has. */
  showReady(node: ScenarioNode): void {
    if (node.turn !== null) throw new Error(`${nodeText(node.id)} has not advanced its last Ready`);
    const ready = this.takeReady(node);
    if (ready !== undefined) this.#trace.detail(`${nodeText(node.id)} ready: ${readyText(ready)}`);
  }

  /** Does one part of the Ready that is out; those before it must be done, or empty. */
  doPart(node: ScenarioNode, part: Part): void {
    if (node.turn === null) throw new Error(`${nodeText(node.id)} has no Ready out`);
    const { ready, left } = node.turn;
    for (let next = left[0]; next !== part; next = left[0]) {
      if (next === undefined || !isEmpty(ready, next)) throw new Error(`${part} is not next, but ${next}`);
      left.shift();
    }
    left.shift();
    this.#do(node, ready, part);
  }

  /** Does a Ready, or what is left of the one that is out. Returns whether there was one. */
  maybeTurn(node: ScenarioNode): boolean {
    const { raft } = node;
    if (raft === null || (node.turn === null && this.takeReady(node) === undefined)) return false;
    while (node.turn !== null) {
      const [part] = node.turn.left;
      assert(part !== undefined, 'a turn ends with its last part');
      this.doPart(node, part);
    }
    return true;
  }

  #do(node: ScenarioNode, ready: Ready, part: Part): void {
    switch (part) {
      case 'early':
        for (const message of ready.early) this.#send(node, message);
        return;
      case 'persist':
        this.#persist(node, ready);
        return;
      case 'send':
        for (const message of ready.messages) this.#send(node, message);
        return;
      case 'apply':
        this.#apply(node, ready);
        return;
      case 'advance':
        node.turn = null;
        this.input(node, null, (raft) => raft.advance(ready));
        return;
    }
  }

  #send(node: ScenarioNode, sent: Message): void {
    this.#checks.sent(node, sent, node.status);
    const inFlight =
      sent.type === 'installSnapshot'
        ? withSnapshot(sent, node.store.takeSnapshot())
        : { message: sent, snapshot: null };
    const { message } = inFlight;
    if (this.cut.has(`${message.from}>${message.to}`)) {
      this.#trace.detail(messageText(message, '↛'));
      return;
    }
    this.#trace.detail(messageText(message));
    this.inFlight.push(inFlight);
  }

  #persist(node: ScenarioNode, ready: Ready): void {
    const written = writeText(ready, node.disk);
    if (written !== undefined) this.#trace.detail(`${nodeText(node.id)} persists ${written}`);
    this.#write(node, ready);
  }

  #write(node: ScenarioNode, write: DiskWrite): void {
    const { snapshot, entries } = write;
    node.store.persist(write, snapshot === null ? null : (node.received.get(snapshot.last.index) ?? null));
    if (snapshot !== null) this.#checks.installed(node);
    this.#checks.persisted(node, entries);
  }

  #apply(node: ScenarioNode, { committed, reads, droppedReads }: Ready): void {
    const name = nodeText(node.id);
    if (committed.length > 0) this.#trace.detail(`${name} applies ${entriesText(committed)}`);
    node.store.apply(committed);
    // As if it were one write with the entries: a crash takes back nothing that is applied.
    node.store.checkpoint();
    this.#checks.applied(node, committed, node.status);
    for (const { id, index } of reads) {
      this.#checks.readIndexed(node, id, index);
      this.#trace.change(`${name} answers read ${id} at ${index}`);
    }
    for (const id of droppedReads) this.#trace.change(`${name} drops read ${id}`);
  }
}

/** The driver sends its newest state, at or beyond what the core asked for. */
function withSnapshot(message: InstallSnapshot, snapshot: Snapshot): InFlight {
  const { last } = message.snapshot;
  assert(snapshot.meta.last.index >= last.index, () => `the state reaches ${logIdText(last)}`);
  return { message: { ...message, snapshot: snapshot.meta }, snapshot };
}
