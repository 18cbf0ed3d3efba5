import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import { type AddressInfo, Socket } from 'node:net';
import { version } from '@metad/kv-store';
import {
  type Heartbeat,
  type LogId,
  logIndex,
  type Message,
  type NodeId,
  type NodeRecord,
  nodeId,
  term,
  ZERO_LOG_ID,
} from '@metad/raft-core';
import { expect, onTestFinished, vi } from 'vitest';
import type { Call, CallOutcome } from '../src/consensus/call.ts';
import type { DigestMark } from '../src/consensus/digest-check.ts';
import { type DialOutcome, dial } from '../src/peers/dial.ts';
import type { PeerEvent } from '../src/peers/event.ts';
import { dialHeaders } from '../src/peers/handshake.ts';
import type { PeerLimits } from '../src/peers/limits.ts';
import { SPOKEN_PROTOCOLS } from '../src/peers/protocol.ts';
import type { ProtocolRange } from '../src/peers/protocol-range.ts';
import type { SnapshotChannel } from '../src/peers/snapshot-channel.ts';
import type { SnapshotFrame } from '../src/peers/snapshot-frame.ts';
import { createTcpTransport, type TcpTransport } from '../src/peers/tcp-transport.ts';
import type { Admission, PeerIdentity, SupportedLevels } from '../src/peers/transport.ts';

/** Short, so that tests that wait for a redial wait little; nothing is asserted about them. */
const LIMITS: Partial<PeerLimits> = {
  redialMinMs: 5,
  redialMaxMs: 20,
  closeTimeoutMs: 200,
  unlistedLingerMs: 20,
};

export const DONE: CallOutcome = {
  type: 'done',
  logId: { term: term(3), leader: nodeId(1), index: logIndex(9) },
  result: { type: 'applied', version: version(4) },
  membership: { configs: [[nodeId(1)]], nodes: new Map([[nodeId(1), { addr: 'x:1' }]]) },
};

export interface TestPeerOptions {
  readonly node: number;
  readonly token?: string | null;
  readonly instance?: string;
  readonly cluster?: string | null;
  /** The process: another one than the node's last, unless said otherwise. */
  readonly run?: string;
  readonly limits?: Partial<PeerLimits>;
  readonly levels?: SupportedLevels;
  readonly protocols?: ProtocolRange;
  readonly admit?: (peer: PeerIdentity) => Admission;
  readonly snapshot?: (frame: SnapshotFrame, channel: SnapshotChannel) => void;
  readonly call?: (call: Call, from: PeerIdentity) => Promise<CallOutcome>;
  /** To come back where a peer was before; otherwise any free port. */
  readonly port?: number;
}

let nextRun = 1;

/** A transport behind a real server on loopback, and all that it has told its node. */
export class TestPeer {
  readonly node: NodeId;
  readonly transport: TcpTransport;
  readonly server: Server;
  readonly received: Message[] = [];
  readonly snapshots: SnapshotFrame[] = [];
  readonly events: PeerEvent[] = [];
  readonly digests: DigestMark[] = [];
  readonly unreachable: NodeId[] = [];
  /** The memberships by which others have refused this node. */
  readonly refusedBy: LogId[] = [];
  /** The last membership that the node knows to be committed. */
  committed = ZERO_LOG_ID;
  #stopped = false;

  private constructor(options: TestPeerOptions, server: Server) {
    this.node = nodeId(options.node);
    this.server = server;
    const identity: PeerIdentity = {
      node: this.node,
      instance: options.instance ?? `instance-${options.node}`,
      run: options.run ?? `run-${nextRun++}`,
      cluster: options.cluster === undefined ? 'cluster' : options.cluster,
      membership: ZERO_LOG_ID,
      levels: options.levels ?? { known: 1, allowed: 1 },
    };
    this.transport = createTcpTransport({
      token: options.token === undefined ? 'secret-token' : options.token,
      limits: { ...LIMITS, ...options.limits },
      ...(options.protocols ? { protocols: options.protocols } : {}),
      onEvent: (event) => this.events.push(event),
      handlers: {
        identity: () => ({ ...identity, membership: this.committed }),
        admit: options.admit ?? (() => ({ type: 'admitted' })),
        receive: (messages) => this.received.push(...messages),
        snapshot: (frame, channel) => {
          this.snapshots.push(frame);
          options.snapshot?.(frame, channel);
        },
        call: options.call ?? (() => Promise.resolve(DONE)),
        digests: (marks) => this.digests.push(...marks),
        notMember: (without) => this.refusedBy.push(without),
        unreachable: (peer) => this.unreachable.push(peer),
      },
    });
    server.on('upgrade', (request, socket, head) => this.transport.handleUpgrade(request, socket, head));
  }

  static async start(options: TestPeerOptions): Promise<TestPeer> {
    const server = createServer((_, response) => response.writeHead(404).end('not found\n'));
    server.listen(options.port ?? 0, '127.0.0.1');
    await once(server, 'listening');
    const peer = new TestPeer(options, server);
    peer.transport.start();
    onTestFinished(() => peer.stop());
    return peer;
  }

  get port(): number {
    // Listening on TCP, a server's address is never a path.
    return (this.server.address() as AddressInfo).port;
  }

  get addr(): string {
    return `127.0.0.1:${this.port}`;
  }

  /** Lists `peers` as members, by their addresses. */
  know(...peers: readonly TestPeer[]): void {
    this.knowRecords(Object.fromEntries(peers.map((peer) => [peer.node, { addr: peer.addr }])));
  }

  knowRecords(records: Record<number, NodeRecord>, membership = ZERO_LOG_ID): void {
    this.transport.setPeers(
      new Map(Object.entries(records).map(([id, record]) => [nodeId(Number(id)), record])),
      membership,
    );
  }

  eventsOf<T extends PeerEvent['type']>(type: T): Extract<PeerEvent, { type: T }>[] {
    return this.events.filter((event) => event.type === type) as Extract<PeerEvent, { type: T }>[];
  }

  /** Waits until this end has a link of the direction open to `node`. */
  async linked(node: number, direction: 'dialled' | 'accepted'): Promise<void> {
    await until(() => expect(this.openLinks(node, direction)).toBe(1));
  }

  openLinks(node: number, direction: 'dialled' | 'accepted'): number {
    const count = (type: 'linkOpened' | 'linkClosed') =>
      this.eventsOf(type).filter((event) => event.node === node && event.direction === direction).length;
    return count('linkOpened') - count('linkClosed');
  }

  async stop(): Promise<void> {
    if (this.#stopped) return;
    this.#stopped = true;
    await this.transport.stop();
    this.server.close();
    this.server.closeAllConnections();
    await once(this.server, 'close');
  }
}

/** Waits for a condition, as long as a test may take. */
export function until(condition: () => void | Promise<void>): Promise<void> {
  return vi.waitFor(condition, { timeout: 30_000, interval: 2 });
}

export function heartbeat(from: number, to: number, round = 1): Heartbeat {
  return {
    type: 'heartbeat',
    from: nodeId(from),
    to: nodeId(to),
    term: term(1),
    committed: logIndex(0),
    round,
  };
}

export function membershipAt(index: number): LogId {
  return { term: term(1), leader: nodeId(1), index: logIndex(index) };
}

export function rounds(peer: TestPeer): number[] {
  return peer.received.map((message) => (message.type === 'heartbeat' ? message.round : -1));
}

/** Opens a connection as node `as`, without a transport, and hands over the bare socket. */
export async function upgradeRaw(peer: TestPeer, as: number): Promise<Socket> {
  const self = {
    node: nodeId(as),
    instance: `instance-${as}`,
    run: `run-of-${as}`,
    cluster: 'cluster',
    membership: ZERO_LOG_ID,
    levels: { known: 1, allowed: 1 },
  };
  const record = { addr: peer.addr };
  const headers = dialHeaders(self, { type: 'link', node: peer.node, record, membership: ZERO_LOG_ID });
  const token = 'secret-token';
  const question = { addr: peer.addr, headers, protocols: SPOKEN_PROTOCOLS, token, timeoutMs: 30_000 };
  const outcome = await new Promise<DialOutcome>((resolve) => dial(question, resolve));
  if (outcome.type !== 'opened' || !(outcome.socket instanceof Socket))
    throw new TypeError(`no socket: ${JSON.stringify(outcome)}`);
  const { socket, head } = outcome;
  onTestFinished(() => {
    socket.destroy();
  });
  socket.on('error', () => socket.destroy());
  if (head.length > 0) socket.unshift(head);
  return socket;
}
