import { DEFAULT_RAFT_LIMITS, type RaftConfig } from '../../src/config.ts';
import { logIndex, type NodeId, term } from '../../src/ids.ts';
import { membershipOf } from '../cluster.ts';
import { bytes, commandAt } from '../solo.ts';
import { CommandWords } from './command-words.ts';
import { parseChange, parseMessage } from './parse-input.ts';
import { type InFlight, ScenarioCluster } from './scenario-cluster.ts';
import { PARTS, type ScenarioNode } from './scenario-node.ts';
import type { Command, Scenario } from './scenario-parser.ts';
import {
  entriesText,
  grouped,
  leaderText,
  logIdText,
  messageText,
  nodeText,
  resultText,
  statusText,
} from './trace.ts';

/** More rounds than any story needs: nodes that go on writing to each other for ever. */
const MAX_STABILIZE_ROUNDS = 200;

/** Runs every command; returns the same scenario with the trace that came of it. */
export function runScenario(scenario: Scenario): Scenario {
  const runner = new ScenarioRunner();
  const blocks = scenario.blocks.map((block) => {
    const trace = block.commands.flatMap((command) => runner.run(command));
    return { ...block, trace: trace.length === 0 ? ['(nothing)'] : trace };
  });
  return { ...scenario, blocks };
}

/** The language of the scenario files; README.md explains each command. */
class ScenarioRunner {
  #trace: string[] = [];
  #quiet = false;
  #limits: Partial<RaftConfig> = {};
  #cluster = this.#newCluster();

  #newCluster(): ScenarioCluster {
    return new ScenarioCluster(this.#limits, {
      change: (line) => this.#trace.push(line),
      detail: (line) => this.#quiet || this.#trace.push(line),
    });
  }

  /** Returns the trace of one command. Throws, naming its line, when it makes no sense. */
  run({ text, line }: Command): string[] {
    const words = new CommandWords(text);
    this.#quiet = words.maybe('quietly');
    try {
      this.#run(words.word(), words);
      words.end();
    } catch (error) {
      throw new Error(`line ${line}: ${text}`, { cause: error });
    }
    const trace = this.#trace;
    this.#trace = [];
    return trace;
  }

  #run(command: string, words: CommandWords): void {
    const part = PARTS.find((one) => one === command);
    if (part !== undefined) {
      this.#cluster.doPart(this.#node(words), part);
      return;
    }
    const act = this.#commands[command];
    if (act === undefined) throw new Error(`there is no command ${command}`);
    act(words);
  }

  readonly #commands: Readonly<Record<string, (words: CommandWords) => void>> = {
    limits: (words) => this.#setLimits(words),
    cluster: (words) => this.#form(words),
    disk: (words) => this.#putDisk(words),
    tick: (words) => this.#tick(words),
    run: (words) => this.#runTicks(words),
    campaign: (words) => this.#input(words, (raft) => raft.campaign()),
    elect: (words) => this.#elect(this.#node(words)),
    propose: (words) => this.#propose(words),
    change: (words) => this.#proposeMembership(words),
    read: (words) => {
      const node = this.#node(words);
      const id = words.number();
      this.#cluster.read(node, id);
    },
    transfer: (words) => this.#transfer(words),
    step: (words) => this.#step(words),
    deliver: (words) => this.#cluster.deliver(this.#select(words)),
    drop: (words) => this.#cluster.drop(this.#select(words)),
    duplicate: (words) => this.#cluster.inFlight.push(...this.#select(words).map((one) => ({ ...one }))),
    network: () => {
      for (const { message } of this.#cluster.inFlight) this.#trace.push(messageText(message));
    },
    cut: (words) => this.#cut(words),
    isolate: (words) => this.#isolate(words.node()),
    heal: () => this.#cluster.cut.clear(),
    ready: (words) => this.#cluster.showReady(this.#node(words)),
    turn: (words) => {
      for (const node of this.#nodes(words)) this.#cluster.maybeTurn(node);
    },
    stabilize: (words) => this.#stabilize(words),
    crash: (words) => this.#cluster.crash(this.#node(words)),
    wipe: (words) => this.#cluster.wipe(this.#node(words)),
    restart: (words) => this.#cluster.start([this.#node(words)]),
    compact: (words) => this.#compact(words),
    report: (words) => this.#report(words),
    status: (words) => this.#status(words),
    log: (words) => this.#log(words),
  };

  #node(words: CommandWords): ScenarioNode {
    return this.#cluster.node(words.node());
  }

  #nodesNamed(words: CommandWords): ScenarioNode[] {
    return words.nodes().map((id) => this.#cluster.node(id));
  }

  /** The nodes named, or all. */
  #nodes(words: CommandWords): ScenarioNode[] {
    const named = this.#nodesNamed(words);
    return named.length > 0 ? named : [...this.#cluster.nodes.values()];
  }

  #input(words: CommandWords, act: Parameters<ScenarioCluster['input']>[2]): void {
    this.#cluster.input(this.#node(words), null, act);
  }

  #setLimits(words: CommandWords): void {
    const limits: Record<string, number> = {};
    while (words.left > 0) {
      const name = words.oneOf(Object.keys(DEFAULT_RAFT_LIMITS));
      limits[name] = words.number();
    }
    this.#limits = limits;
  }

  #form(words: CommandWords): void {
    const after = (keyword: string) => (words.maybe(keyword) ? words.nodes() : []);
    this.#cluster = this.#newCluster();
    const voters = after('voters');
    const learners = after('learners');
    this.#cluster.form(membershipOf(voters, learners), after('standbys'));
  }

  /** A log of the given terms behind the first entry, which stays the membership. */
  #putDisk(words: CommandWords): void {
    const node = this.#node(words);
    const [first] = node.disk.log;
    if (first === undefined || !words.maybe('terms')) throw new Error('the log of a member needs terms');
    const [, ...terms] = words.numbers();
    const log = [first, ...terms.map((at, i) => commandAt(at, i + 2, `${at}.${i + 2}`))];
    const at = words.maybe('term') ? words.number() : (log.at(-1)?.term ?? 1);
    const votedFor = words.maybe('vote') ? words.node() : null;
    const committed = words.maybe('committed') ? words.number() : 1;
    const hardState = { term: term(at), votedFor, committed: logIndex(committed) };
    this.#cluster.putDisk(node.id, { log, hardState });
    this.#cluster.start([node]);
  }

  #tick(words: CommandWords): void {
    const named = this.#nodesNamed(words);
    const nodes = named.length > 0 ? named : this.#cluster.running;
    const times = words.left > 0 ? words.number() : 1;
    for (let i = 0; i < times; i += 1) for (const node of nodes) this.#cluster.tick(node);
  }

  /** Time passes, and everything that can move does so at once. */
  #runTicks(words: CommandWords): void {
    const times = words.number();
    for (let i = 0; i < times; i += 1) {
      for (const node of this.#cluster.running) this.#cluster.tick(node);
      this.#stabilize(words);
    }
  }

  /** For stories that begin with a leader: the way there is in election-with-pre-vote.txt. */
  #elect(node: ScenarioNode): void {
    this.#quiet = true;
    const before = this.#trace.length;
    const running = this.#cluster.running.length;
    this.#cluster.input(node, null, (raft) => raft.campaign());
    this.#stabilize(new CommandWords(''));
    this.#trace.length = before;
    if (this.#cluster.running.length < running) throw new Error('a node has stopped');
    if (node.raft?.status().role !== 'leader') throw new Error(`${nodeText(node.id)} was not elected`);
    this.#trace.push(leaderText(node.raft.status()));
  }

  #propose(words: CommandWords): void {
    const node = this.#node(words);
    for (let command = words.word(); ; command = words.word()) {
      const data = bytes(command);
      const result = this.#cluster.input(node, null, (raft) => raft.propose(data));
      if (result !== undefined) this.#trace.push(`${nodeText(node.id)} ${resultText(result)}`);
      if (words.left === 0) return;
    }
  }

  #proposeMembership(words: CommandWords): void {
    const node = this.#node(words);
    const change = parseChange(words);
    const result = this.#cluster.input(node, null, (raft) => raft.proposeMembership(change));
    if (result !== undefined) this.#trace.push(`${nodeText(node.id)} ${resultText(result)}`);
  }

  #transfer(words: CommandWords): void {
    const node = this.#node(words);
    const to = words.left > 0 ? words.node() : null;
    const result = this.#cluster.input(node, null, (raft) => raft.transferLeadership(to));
    if (result !== undefined) this.#trace.push(`${nodeText(node.id)} ${resultText(result)}`);
  }

  /** A message that no node of this scenario has sent. */
  #step(words: CommandWords): void {
    const message = parseMessage(words);
    this.#cluster.deliver([{ message, snapshot: null }]);
  }

  /** Throws when there is nothing of the kind: a story that delivers nothing is not the one that was meant. */
  #select(words: CommandWords): readonly InFlight[] {
    const selected = this.#matching(words);
    if (selected.length === 0) throw new Error('no such message is on its way');
    return selected;
  }

  #matching(words: CommandWords): readonly InFlight[] {
    const link = words.maybeLink();
    const onLink = this.#cluster.inFlight.filter(
      ({ message }) =>
        (link?.from ?? message.from) === message.from && (link?.to ?? message.to) === message.to,
    );
    const which = words.maybeWord();
    switch (which) {
      case undefined:
        return onLink;
      case 'first':
        return onLink.slice(0, 1);
      case 'last':
        return onLink.slice(-1);
      case 'reversed':
        return onLink.toReversed();
      default:
        return onLink.filter(({ message }) => message.type === which);
    }
  }

  #cut(words: CommandWords): void {
    const link = words.maybeLink();
    if (link?.from == null || link.to === null) throw new Error('a link is written n1>n2');
    this.#cluster.cut.add(`${link.from}>${link.to}`);
  }

  #isolate(id: NodeId): void {
    for (const other of this.#cluster.nodes.keys()) {
      if (other === id) continue;
      this.#cluster.cut.add(`${id}>${other}`);
      this.#cluster.cut.add(`${other}>${id}`);
    }
  }

  /** Readies and deliveries among the nodes named, or all, until nothing moves without a tick. */
  #stabilize(words: CommandWords): void {
    const nodes = this.#nodes(words);
    const among = (id: NodeId) => nodes.some((node) => node.id === id);
    for (let round = 0; round < MAX_STABILIZE_ROUNDS; round += 1) {
      let moved = false;
      for (const node of nodes) while (this.#cluster.maybeTurn(node)) moved = true;
      const due = this.#cluster.inFlight.filter(({ message }) => among(message.from) && among(message.to));
      if (!moved && due.length === 0) return;
      this.#cluster.deliver(due);
    }
    throw new Error(`nothing is stable after ${MAX_STABILIZE_ROUNDS} rounds`);
  }

  #compact(words: CommandWords): void {
    const node = this.#node(words);
    const index = words.number();
    const to = node.store.compact(logIndex(index));
    if (to === null) throw new Error(`entry ${index} is not on disk, or not applied`);
    this.#cluster.input(node, null, (raft) => raft.compacted(to));
    this.#trace.push(`${nodeText(node.id)} compacts up to ${logIdText(to)}`);
  }

  #report(words: CommandWords): void {
    const node = this.#node(words);
    const peer = words.node();
    const outcome = words.oneOf(['unreachable', 'sent', 'failed']);
    this.#cluster.input(node, null, (raft) => {
      if (outcome === 'unreachable') raft.reportUnreachable(peer);
      else raft.reportSnapshot(peer, outcome);
    });
  }

  #status(words: CommandWords): void {
    for (const { id, raft } of this.#nodes(words)) {
      this.#trace.push(...(raft === null ? [`${nodeText(id)} is down`] : statusText(raft.status())));
    }
  }

  /** Logs on disk; nodes with equal ones share a line. */
  #log(words: CommandWords): void {
    const lines = grouped(this.#nodes(words), ({ disk }) => {
      const compacted = disk.compacted.index > 0 ? `compacted up to ${logIdText(disk.compacted)}, ` : '';
      return `log: ${compacted}${entriesText(disk.log) || 'empty'}`;
    });
    this.#trace.push(...lines);
  }
}
