import type { LogId, Message, NodeId, NodeRecord } from '@metad/raft-core';
import type { Call, CallOutcome } from '../consensus/call.ts';
import type { DigestMark } from '../consensus/digest-check.ts';
import type { SnapshotChannel } from './snapshot-channel.ts';
import type { SnapshotFrame } from './snapshot-frame.ts';

/** Who speaks: exchanged when a peer connection opens, before any frame is read. */
export interface PeerIdentity {
  readonly node: NodeId;
  /** Random, made once per data directory: a wiped disk is another instance. A copied one is the same. */
  readonly instance: string;
  /** Random, made once per process: what runs on a copied disk is another run. */
  readonly run: string;
  /** null on a standby that has joined nothing yet. */
  readonly cluster: string | null;
  /** The last membership that it knew to be committed when it spoke; ZERO_LOG_ID: none. */
  readonly membership: LogId;
  readonly levels: SupportedLevels;
}

/** The feature levels that a node can take part in. */
export interface SupportedLevels {
  /** The highest that its release knows. */
  readonly known: number;
  /** The highest that it may be asked for: its operator can hold it below what is known. */
  readonly allowed: number;
}

export type Admission = { readonly type: 'admitted' } | RefusedPeer;

export interface RefusedPeer {
  readonly type: 'refused';
  readonly reason: string;
  /** A committed membership of the peer's own cluster that does not have it; null: that is not why. */
  readonly without: LogId | null;
}

/** What the transport asks of the node that owns it. */
export interface PeerHandlers {
  identity(): PeerIdentity;
  /** Decides about a peer whose token is right, on either end of a connection, before any frame is read. */
  admit(peer: PeerIdentity): Admission;
  /** In the order in which one peer sent them. */
  receive(messages: readonly Message[], from: PeerIdentity): void;
  /** Answers a call that another node forwards. Never rejects. */
  call(call: Call, from: PeerIdentity): Promise<CallOutcome>;
  /** Takes a part of a snapshot's transfer; what it answers goes over the same connection. */
  snapshot(frame: SnapshotFrame, channel: SnapshotChannel): void;
  /** Takes what a peer has applied. */
  digests(marks: readonly DigestMark[], from: PeerIdentity): void;
  /** A member has refused this node, by a committed membership that does not have it. */
  notMember(without: LogId): void;
  /** A connection broke, or could not be opened: the peer may have missed messages. */
  unreachable(peer: NodeId): void;
}

export type IdentifyOutcome =
  | { readonly type: 'identified'; readonly identity: PeerIdentity }
  | { readonly type: 'failed'; readonly reason: string };

/** Carries messages between nodes. Delivery may fail silently and in any way that Raft allows. */
export interface PeerTransport {
  /**
   * Whom to keep a connection to, and the membership in effect, which says so; this node itself is left out. Links to
   * others are closed.
   */
  setPeers(peers: ReadonlyMap<NodeId, NodeRecord>, membership: LogId): void;
  /** Queues messages, each to its `to`; what has no open link, or finds its queue full, is dropped. */
  send(messages: readonly Message[]): void;
  /** Tells every peer what this node has applied; what has no open link, or finds its queue full, is not told. */
  sendDigests(marks: readonly DigestMark[]): void;
  /** Asks one peer. `refused` when it was never sent, `unknown` when the link broke or the time ran out after that. */
  call(to: NodeId, call: Call, timeoutMs: number): Promise<CallOutcome>;
  /** Who is at the other end of the connection to a peer, by its own word when it was opened; null: there is none. */
  linkedPeer(node: NodeId): PeerIdentity | null;
  /** The connection over which a snapshot may be sent; null when there is none. */
  snapshotChannel(to: NodeId): SnapshotChannel | null;
  /** Asks whoever listens at an address who it is, without joining anything. */
  identify(addr: string, timeoutMs: number): Promise<IdentifyOutcome>;
  /** Closes every connection; calls in flight end as `unknown`. */
  stop(): Promise<void>;
}
