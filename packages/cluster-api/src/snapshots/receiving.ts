import { statfs } from 'node:fs/promises';
import { type SnapshotReceiver, type Store, StoreError } from '@metad/kv-store';
import type { InstallSnapshot, RaftStatus } from '@metad/raft-core';
import type { Logger } from 'pino';
import type { ConsensusMetrics } from '../consensus/metrics.ts';
import type { SnapshotChannel } from '../peers/snapshot-channel.ts';
import type { SnapshotRequest } from '../peers/snapshot-frame.ts';
import { reasonOf } from '../reason.ts';
import type { SnapshotLimits } from './limits.ts';

type Offer = Extract<SnapshotRequest, { type: 'offer' }>;

export interface SnapshotReceivingOptions {
  readonly store: Pick<Store, 'snapshots'>;
  readonly dataDir: string;
  readonly status: () => RaftStatus;
  /** Steps the message and installs what came, at once. */
  readonly install: (message: InstallSnapshot) => void;
  /** What must not happen: the node stops. */
  readonly onFault: (error: unknown) => void;
  readonly limits: SnapshotLimits;
  readonly logger: Logger;
  readonly metrics: ConsensusMetrics;
}

/** The transfer that this node takes part in. */
interface Incoming {
  readonly offer: Offer;
  readonly channel: SnapshotChannel;
  /** Null when this node has all of it already. */
  readonly receiver: SnapshotReceiver | null;
  readonly startedAt: number;
}

/** Takes snapshots from a leader: one at a time, the newest offer counts. What does not fit is refused with the reason. */
export class SnapshotReceiving {
  readonly #options: SnapshotReceivingOptions;
  #incoming: Incoming | null = null;
  /** One frame after the other. */
  #work: Promise<void> = Promise.resolve();
  #queuedBytes = 0;
  /** What has come so far, also when its connection is gone. */
  #partial: SnapshotReceiver | null = null;
  #expiry: NodeJS.Timeout | null = null;
  #stopped = false;

  constructor(options: SnapshotReceivingOptions) {
    this.#options = options;
  }

  receive(frame: SnapshotRequest, channel: SnapshotChannel): void {
    const bytes = frame.type === 'chunk' ? frame.bytes.byteLength : 0;
    // A sender waits for the confirmation of what it has sent.
    if (this.#queuedBytes + bytes > 2 * this.#options.limits.maxWindowBytes) {
      channel.destroy('it sends more of a snapshot than may be under way');
      return;
    }
    this.#queuedBytes += bytes;
    this.#enqueue(async () => {
      this.#queuedBytes -= bytes;
      if (!this.#stopped) await this.#carryOut(frame, channel);
    });
  }

  /** Resolves once nothing is written any more. */
  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#work;
    await this.#dropPartial();
  }

  #enqueue(action: () => Promise<void>): void {
    this.#work = this.#work.then(action).catch((error: unknown) => {
      if (!this.#stopped) this.#options.onFault(error);
    });
  }

  async #carryOut(frame: SnapshotRequest, channel: SnapshotChannel): Promise<void> {
    try {
      await this.#handle(frame, channel);
    } catch (error) {
      if (this.#stopped || !(error instanceof StoreError)) throw error;
      // A full disk, most likely. The log has not failed, so this node goes on as it is.
      this.#incoming = null;
      await this.#dropPartial();
      this.#refuse(frame.id, channel, reasonOf(error));
    }
  }

  async #handle(frame: SnapshotRequest, channel: SnapshotChannel): Promise<void> {
    if (frame.type === 'offer') {
      await this.#open(frame, channel);
      return;
    }
    const incoming = this.#incoming;
    // Of a transfer that another one has replaced, and was told so.
    if (incoming === null || incoming.channel !== channel || incoming.offer.id !== frame.id) return;
    if (this.#options.status().term > incoming.offer.term) {
      this.#incoming = null;
      this.#refuse(frame.id, channel, LATER_LEADER);
    } else if (frame.type === 'chunk') {
      await this.#write(frame, incoming);
    } else {
      await this.#finish(frame.message, incoming);
    }
  }

  async #open(offer: Offer, channel: SnapshotChannel): Promise<void> {
    const { status, logger } = this.#options;
    const { term, committed } = status();
    const { index } = offer.meta.last;
    const isOld = offer.term < Math.max(term, this.#incoming?.offer.term ?? 0);
    const isKnown = index <= committed;
    const obstacle = isOld ? LATER_LEADER : isKnown ? null : await this.#findObstacle(offer);
    if (obstacle !== null) {
      this.#refuse(offer.id, channel, obstacle);
      return;
    }
    this.#tellReplaced(channel);
    const receiver = isKnown ? null : await this.#receiverOf(offer);
    this.#incoming = { offer, channel, receiver, startedAt: performance.now() };
    const { bytes, id } = offer;
    const offset = receiver?.offset ?? bytes;
    const peer = channel.peer.node;
    if (!isKnown) logger.info({ peer, index, bytes, offset }, `receives a snapshot from node ${peer}`);
    channel.send({ type: 'progress', id, offset });
  }

  /** The sender of what came so far must not go on for nothing. */
  #tellReplaced(by: SnapshotChannel): void {
    if (this.#incoming === null) return;
    const { offer, channel } = this.#incoming;
    if (channel !== by)
      channel.send({ type: 'refused', id: offer.id, reason: 'a newer snapshot was offered' });
  }

  async #receiverOf(offer: Offer): Promise<SnapshotReceiver> {
    if (this.#partial?.offer.checksum !== offer.checksum) await this.#dropPartial();
    this.#partial = this.#options.store.snapshots.receive(offer);
    this.#expiry ??= setTimeout(
      () => this.#enqueue(() => this.#dropPartial()),
      this.#options.limits.partialMs,
    );
    this.#expiry.refresh();
    return this.#partial;
  }

  /** Why a snapshot can't be taken; null when it can. */
  async #findObstacle({ bytes, checksum }: Offer): Promise<string | null> {
    const { limits, dataDir } = this.#options;
    if (bytes > limits.maxReceivedBytes)
      return `it has ${bytes} bytes, at most ${limits.maxReceivedBytes} are taken`;
    const { bavail, bsize } = await statfs(dataDir);
    const here = this.#partial?.hasEnded === false ? this.#partial.offset : 0;
    const isSame = this.#partial?.offer.checksum === checksum;
    // What another offer left is about to be removed.
    const free = bavail * bsize + (isSame ? 0 : here);
    const wanted = bytes - (isSame ? here : 0) + limits.reserveBytes;
    if (free >= wanted) return null;
    return `it needs ${wanted} bytes in ${dataDir} with a reserve for the log, and ${free} are free: make room there`;
  }

  async #write(chunk: Extract<SnapshotRequest, { type: 'chunk' }>, incoming: Incoming): Promise<void> {
    const { receiver, channel, offer } = incoming;
    if (receiver === null || receiver.hasEnded) return;
    const { offset } = await receiver.write(chunk.offset, chunk.bytes);
    this.#expiry?.refresh();
    this.#options.metrics.snapshotReceivedBytes.inc(chunk.bytes.byteLength);
    channel.send({ type: 'progress', id: offer.id, offset });
  }

  async #finish(asked: InstallSnapshot, incoming: Incoming): Promise<void> {
    const { channel, receiver, offer } = incoming;
    const { id, meta } = offer;
    const outcome = receiver && (await this.#verify(receiver, incoming));
    if (this.#stopped) return;
    if (outcome?.type === 'incomplete') {
      channel.send({ type: 'progress', id, offset: outcome.offset });
      return;
    }
    this.#incoming = null;
    if (outcome?.type === 'refused') {
      this.#refuse(id, channel, outcome.message);
      return;
    }
    await this.#install({ ...asked, snapshot: meta }, incoming);
    channel.send({ type: 'done', id });
  }

  /** Reads all of it, which takes a while. */
  async #verify(receiver: SnapshotReceiver, { channel, offer }: Incoming) {
    const alive = setInterval(
      () => channel.send({ type: 'progress', id: offer.id, offset: offer.bytes }),
      this.#options.limits.progressMs,
    );
    try {
      return await receiver.finish();
    } finally {
      clearInterval(alive);
    }
  }

  async #install(message: InstallSnapshot, { receiver, startedAt, offer }: Incoming): Promise<void> {
    const { store, install, logger, metrics } = this.#options;
    install(message);
    if (receiver === null) return;
    const { index } = message.snapshot.last;
    if (store.snapshots.received !== null) {
      // By now the log has come that far, or a later leader speaks.
      await this.#dropPartial();
      logger.info({ index }, 'did not need the snapshot that came');
      return;
    }
    await this.#dropPartial();
    metrics.snapshots.inc({ event: 'installed' });
    const ms = Math.round(performance.now() - startedAt);
    logger.info({ index, bytes: offer.bytes, ms }, 'installed a snapshot');
  }

  /** What came in part waits for its rest, but not for ever. */
  async #dropPartial(): Promise<void> {
    const partial = this.#partial;
    this.#partial = null;
    if (this.#expiry) clearTimeout(this.#expiry);
    this.#expiry = null;
    if (partial?.hasEnded === false) await partial.abandon();
    this.#options.store.snapshots.dropReceived();
  }

  #refuse(id: number, channel: SnapshotChannel, reason: string): void {
    const peer = channel.peer.node;
    this.#options.metrics.snapshots.inc({ event: 'refused' });
    this.#options.logger.warn({ peer, reason }, `refused a snapshot from node ${peer}`);
    channel.send({ type: 'refused', id, reason });
  }
}

const LATER_LEADER = 'there is a leader of a later term';
