import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import {
  assert,
  type LogId,
  type Message,
  type NodeId,
  type NodeRecord,
  ZERO_LOG_ID,
} from '@metad/raft-core';
import type { Call, CallOutcome } from '../consensus/call.ts';
import type { DigestMark } from '../consensus/digest-check.ts';
import type { DialOutcome } from './dial.ts';
import { type DialResult, PeerDialer } from './dialer.ts';
import type { LinkDirection, PeerEvent } from './event.ts';
import { checkToken } from './handshake.ts';
import { Identifier } from './identify.ts';
import { isMeant, judgeRun } from './instance-rule.ts';
import { DEFAULT_PEER_LIMITS, type PeerLimits } from './limits.ts';
import { PeerLink } from './link.ts';
import { linkTo, openLinks, type Peer } from './linked-peer.ts';
import { type AcceptedConnection, PeerListener } from './listener.ts';
import { type DialledMember, MemberDials } from './member-dials.ts';
import { SPOKEN_PROTOCOLS } from './protocol.ts';
import type { ProtocolRange } from './protocol-range.ts';
import type { SnapshotChannel } from './snapshot-channel.ts';
import type { Admission, IdentifyOutcome, PeerHandlers, PeerIdentity, PeerTransport } from './transport.ts';

export interface TcpTransportOptions {
  readonly handlers: PeerHandlers;
  /** What every node of the cluster knows; null: the network is trusted. */
  readonly token: string | null;
  readonly limits?: Partial<PeerLimits>;
  /** What this release speaks, unless given. */
  readonly protocols?: ProtocolRange;
  /** For the log and the metrics; must not throw. */
  readonly onEvent?: (event: PeerEvent) => void;
  /** In [0, 1); jitters the waits between dials. */
  readonly random?: () => number;
}

export interface TcpTransport extends PeerTransport {
  /** For the 'upgrade' event of the cluster port's server. Answers every case; bad requests never throw. */
  handleUpgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void;
  /** Begins to dial and to accept; `identify` works before. */
  start(): void;
}

/** Peer connections over TCP, opened by an HTTP Upgrade. Throws a RangeError for a token that fits no header. */
export function createTcpTransport(options: TcpTransportOptions): TcpTransport {
  checkToken(options.token);
  return new Transport(options);
}

class Transport implements TcpTransport {
  readonly #handlers: PeerHandlers;
  readonly #limits: PeerLimits;
  readonly #onEvent: (event: PeerEvent) => void;
  readonly #random: () => number;
  readonly #listener: PeerListener;
  readonly #dials: MemberDials;
  readonly #peers = new Map<NodeId, Peer>();
  /** Every link that is not closed yet, those that are no longer used included. */
  readonly #links = new Set<PeerLink>();
  readonly #identifier = new Identifier();
  /** The one in effect, which lists the peers. */
  #membership: LogId = ZERO_LOG_ID;
  #state: 'new' | 'running' | 'stopped' = 'new';
  #pings: NodeJS.Timeout | null = null;
  #lastLinkClosed: (() => void) | null = null;

  constructor(options: TcpTransportOptions) {
    this.#handlers = options.handlers;
    this.#limits = { ...DEFAULT_PEER_LIMITS, ...options.limits };
    this.#onEvent = options.onEvent ?? ((): void => undefined);
    this.#random = options.random ?? Math.random;
    const { token, protocols = SPOKEN_PROTOCOLS } = options;
    this.#dials = new MemberDials({
      handlers: options.handlers,
      token,
      protocols,
      timeoutMs: this.#limits.dialTimeoutMs,
    });
    this.#listener = new PeerListener({
      handlers: { identity: () => this.#handlers.identity(), admit: (peer) => this.#admitDialler(peer) },
      token,
      protocols,
      closeTimeoutMs: this.#limits.closeTimeoutMs,
      onEvent: this.#onEvent,
      onOpened: (identity, connection) => this.#accept(identity, connection),
    });
  }

  start(): void {
    assert(this.#state === 'new', 'a transport starts once');
    this.#state = 'running';
    this.#listener.start();
    this.#pings = setInterval(() => {
      for (const link of this.#links) link.tick();
    }, this.#limits.pingIntervalMs);
    for (const peer of this.#peers.values()) peer.dialer?.start();
  }

  async stop(): Promise<void> {
    this.#state = 'stopped';
    this.#listener.stop();
    if (this.#pings) clearInterval(this.#pings);
    this.#identifier.stop();
    for (const peer of this.#peers.values()) {
      peer.dialer?.stop();
      if (peer.linger) clearTimeout(peer.linger);
    }
    this.#peers.clear();
    for (const link of this.#links) {
      link.abandonCalls('this node is stopping');
      link.end('this node is stopping');
    }
    if (this.#links.size === 0) return;
    await new Promise<void>((resolve) => {
      this.#lastLinkClosed = resolve;
    });
  }

  handleUpgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    this.#listener.handle(request, socket, head);
  }

  setPeers(records: ReadonlyMap<NodeId, NodeRecord>, membership: LogId): void {
    if (this.#state === 'stopped') return;
    this.#membership = membership;
    const self = this.#handlers.identity().node;
    for (const [node, record] of records) {
      if (node !== self) this.#list(this.#peer(node), record);
    }
    for (const peer of this.#peers.values()) {
      if (!records.has(peer.node)) this.#unlist(peer, records);
    }
  }

  send(messages: readonly Message[]): void {
    for (const [to, batch] of groupByReceiver(messages)) {
      const peer = this.#peers.get(to);
      const dropped = (peer && linkTo(peer)?.sendMessages(batch)) ?? 0;
      // Later, because the sender is in the middle of its turn.
      if (dropped > 0) queueMicrotask(() => this.#lost(to));
    }
  }

  sendDigests(marks: readonly DigestMark[]): void {
    for (const peer of this.#peers.values()) linkTo(peer)?.sendDigests(marks);
  }

  call(to: NodeId, call: Call, timeoutMs: number): Promise<CallOutcome> {
    const peer = this.#peers.get(to);
    const link = peer && linkTo(peer);
    if (link) return link.call(call, timeoutMs);
    const message = `there is no connection to node ${to}`;
    return Promise.resolve({ type: 'refused', error: { type: 'noLink', message } });
  }

  linkedPeer(node: NodeId): PeerIdentity | null {
    const peer = this.#peers.get(node);
    return (peer && linkTo(peer)?.peer) ?? null;
  }

  snapshotChannel(to: NodeId): SnapshotChannel | null {
    const peer = this.#peers.get(to);
    return (peer && linkTo(peer)?.snapshots) ?? null;
  }

  identify(addr: string, timeoutMs: number): Promise<IdentifyOutcome> {
    const question = this.#dials.question(addr, { type: 'identify' });
    return this.#identifier.identify({ ...question, timeoutMs });
  }

  #peer(node: NodeId): Peer {
    const known = this.#peers.get(node);
    if (known) return known;
    const links = { dialled: null, accepted: null };
    const peer: Peer = { node, record: null, dialer: null, links, linger: null };
    this.#peers.set(node, peer);
    return peer;
  }

  #list(peer: Peer, record: NodeRecord): void {
    if (peer.linger) clearTimeout(peer.linger);
    peer.linger = null;
    const moved = peer.record?.addr !== record.addr;
    peer.record = record;
    for (const link of openLinks(peer)) {
      if (isMeant(link.peer, { instance: record.instance, membership: this.#membership })) continue;
      this.#detach(peer, link);
      link.destroy('another instance has this node id now');
    }
    if (!moved) return;
    peer.dialer?.stop();
    peer.dialer = this.#createDialer(peer);
    const { dialled } = peer.links;
    if (dialled) {
      this.#detach(peer, dialled);
      dialled.end('the node has another address now');
    }
    if (this.#state === 'running') peer.dialer.start();
  }

  /** An empty membership says nothing about anyone: the node has joined nothing yet. */
  #unlist(peer: Peer, records: ReadonlyMap<NodeId, NodeRecord>): void {
    peer.record = null;
    peer.dialer?.stop();
    peer.dialer = null;
    this.#forgetIfUnused(peer);
    if (records.size === 0 || peer.linger || openLinks(peer).length === 0) return;
    peer.linger = setTimeout(() => {
      peer.linger = null;
      for (const link of openLinks(peer)) {
        this.#detach(peer, link);
        link.end('the node is no longer a member');
      }
    }, this.#limits.unlistedLingerMs);
  }

  #forgetIfUnused(peer: Peer): void {
    if (peer.record || openLinks(peer).length > 0) return;
    if (peer.linger) clearTimeout(peer.linger);
    this.#peers.delete(peer.node);
  }

  #createDialer(peer: Peer): PeerDialer {
    return new PeerDialer({
      limits: this.#limits,
      random: this.#random,
      open: (settle) => this.#dial(peer, settle),
    });
  }

  #dial(peer: Peer, settle: (result: DialResult) => void): () => void {
    const meant = () => this.#meant(peer);
    const { addr } = meant().record;
    return this.#dials.dial(meant, (outcome) => this.#settleDial(peer, addr, outcome, settle));
  }

  #meant({ node, record }: Peer): DialledMember {
    assert(record !== null, 'only members are dialled');
    return { node, record, membership: this.#membership };
  }

  #settleDial(
    peer: Peer,
    remote: string,
    judged: Exclude<DialOutcome, { type: 'identified' }>,
    settle: (result: DialResult) => void,
  ): void {
    const { node } = peer;
    if (judged.type === 'opened') {
      // Told first: opening the link reads what has come already, and that may close it again.
      settle('linked');
      this.#closeOtherRun(peer, judged.peer);
      this.#open({ peer, identity: judged.peer, direction: 'dialled', connection: { ...judged, remote } });
      return;
    }
    const { type, reason } = judged;
    settle(type);
    if (type === 'failed') {
      this.#onEvent({ type: 'dialFailed', node, remote, reason });
    } else {
      this.#onEvent({ type: 'linkRefused', node, direction: 'dialled', remote, reason });
      if (judged.without !== null) this.#handlers.notMember(judged.without);
    }
    if (openLinks(peer).length === 0) this.#lost(node);
  }

  /** What runs at the address of a member is that member: another process with its identity is not. */
  #admitDialler(identity: PeerIdentity): Admission {
    const peer = this.#peers.get(identity.node);
    const twin = judgeRun(identity, peer?.links.dialled?.peer, peer?.record?.addr);
    return twin ?? this.#handlers.admit(identity);
  }

  #closeOtherRun({ links }: Peer, found: PeerIdentity): void {
    if (links.accepted && links.accepted.peer.run !== found.run)
      links.accepted.destroy('another process of this node runs at its address');
  }

  #accept(identity: PeerIdentity, connection: AcceptedConnection): void {
    const peer = this.#peer(identity.node);
    const older = peer.links.accepted;
    // Whoever dials again has given up its older connection, even if this end has not noticed.
    older?.destroy('the peer has opened a newer connection');
    this.#open({ peer, identity, direction: 'accepted', connection });
    peer.dialer?.wake();
  }

  #open(opening: {
    readonly peer: Peer;
    readonly identity: PeerIdentity;
    readonly direction: LinkDirection;
    readonly connection: AcceptedConnection;
  }): void {
    const { peer, identity, direction, connection } = opening;
    const link = new PeerLink({
      socket: connection.socket,
      direction,
      self: this.#handlers.identity().node,
      peer: identity,
      limits: this.#limits,
      handlers: this.#handlers,
      onEvent: this.#onEvent,
      onClosed: (closed, reason) => this.#closed(peer, closed, reason),
    });
    // Forgotten while it had no links, the peer is known again.
    this.#peers.set(peer.node, peer);
    peer.links[direction] = link;
    this.#links.add(link);
    const { remote, protocol } = connection;
    this.#onEvent({ type: 'linkOpened', node: peer.node, direction, remote, protocol });
    link.start(connection.head);
  }

  /** The link is not used for sending any more. */
  #detach(peer: Peer, link: PeerLink): void {
    peer.links[link.direction] = null;
    if (link.direction === 'dialled') peer.dialer?.linkLost(link.held);
    this.#forgetIfUnused(peer);
  }

  #closed(peer: Peer, link: PeerLink, reason: string): void {
    this.#links.delete(link);
    this.#onEvent({ type: 'linkClosed', node: peer.node, direction: link.direction, reason });
    // One that this node has detached before was not lost.
    if (peer.links[link.direction] === link) {
      this.#detach(peer, link);
      this.#lost(peer.node);
    }
    if (this.#links.size === 0) this.#lastLinkClosed?.();
  }

  #lost(node: NodeId): void {
    if (this.#state !== 'stopped') this.#handlers.unreachable(node);
  }
}

function groupByReceiver(messages: readonly Message[]): Map<NodeId, Message[]> {
  const groups = new Map<NodeId, Message[]>();
  for (const message of messages) {
    const group = groups.get(message.to);
    if (group) group.push(message);
    else groups.set(message.to, [message]);
  }
  return groups;
}
