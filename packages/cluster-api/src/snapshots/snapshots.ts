import type { SnapshotManifest, Store } from '@metad/kv-store';
import type { InstallSnapshot } from '@metad/raft-core';
import type { Logger } from 'pino';
import type { SnapshotSettings } from '../config/node-config.ts';
import type { ConsensusMetrics } from '../consensus/metrics.ts';
import type { Node } from '../consensus/node.ts';
import type { SnapshotChannel } from '../peers/snapshot-channel.ts';
import { isSnapshotRequest, type SnapshotFrame } from '../peers/snapshot-frame.ts';
import type { PeerTransport } from '../peers/transport.ts';
import { SnapshotBuilds } from './builds.ts';
import { DEFAULT_SNAPSHOT_LIMITS, type SnapshotLimits } from './limits.ts';
import { LogUpkeep } from './log-upkeep.ts';
import { SnapshotReceiving } from './receiving.ts';
import { SnapshotSender } from './sender.ts';

export interface SnapshotsOptions {
  readonly store: Store;
  readonly dataDir: string;
  readonly node: Node;
  readonly transport: Pick<PeerTransport, 'snapshotChannel'>;
  readonly settings: SnapshotSettings;
  readonly limits?: Partial<SnapshotLimits>;
  readonly tickMs: number;
  readonly logger: Logger;
  readonly metrics: ConsensusMetrics;
}

/** All that a node does about snapshots and the length of its log. */
export class Snapshots {
  readonly #options: SnapshotsOptions;
  readonly #builds: SnapshotBuilds;
  readonly #sender: SnapshotSender;
  readonly #receiving: SnapshotReceiving;
  readonly #upkeep: LogUpkeep;
  #ticker: NodeJS.Timeout | null = null;
  /** Readers that have not opened the present state file yet. */
  #readersBehind = 0;

  constructor(options: SnapshotsOptions) {
    this.#options = options;
    const { store, node, transport, dataDir, settings, logger, metrics } = options;
    const limits = { ...DEFAULT_SNAPSHOT_LIMITS, ...options.limits };
    const onFault = (error: unknown) => node.fail(error);
    const status = () => node.status();
    this.#builds = new SnapshotBuilds({ store, logger, metrics, onEnd: () => this.#removeReplaced() });
    this.#sender = new SnapshotSender({
      builds: this.#builds,
      transport,
      compacted: () => store.log.compacted.index,
      report: (peer, result) => node.reportSnapshot(peer, result),
      limits,
      logger,
      metrics,
    });
    this.#receiving = new SnapshotReceiving({
      store,
      dataDir,
      status,
      install: (message) => node.installSnapshot(message),
      onFault,
      limits,
      logger,
      metrics,
    });
    this.#upkeep = new LogUpkeep({
      store,
      settings,
      status,
      neededForSnapshots: () => this.#sender.needed,
      compact: (upTo) => node.compactLog(upTo),
      onFault,
      logger,
    });
  }

  start(): void {
    this.#upkeep.start();
    this.#ticker = setInterval(() => this.#upkeep.tick(), this.#options.tickMs);
  }

  /** Ends what is under way; resolves once nothing of it touches the store any more. */
  async stop(): Promise<void> {
    if (this.#ticker) clearInterval(this.#ticker);
    this.#upkeep.stop();
    this.#sender.stop();
    this.#builds.stop();
    this.#options.store.snapshots.close();
    await this.#receiving.stop();
  }

  /** The core wants a peer to have a snapshot. */
  send(message: InstallSnapshot): void {
    this.#sender.send(message);
  }

  receive(frame: SnapshotFrame, channel: SnapshotChannel): void {
    if (isSnapshotRequest(frame)) this.#receiving.receive(frame, channel);
    else this.#sender.receive(frame, channel);
  }

  /**
   * A snapshot of what this node has applied by now, or later, and a log that is as short as it may be. Rejects with a
   * StoreError.
   */
  async take(): Promise<SnapshotManifest> {
    const manifest = await this.#builds.take(this.#options.store.state.applied.index);
    await this.#upkeep.compact();
    return manifest;
  }

  /** The state is in another file, and a reader will say `readerReopened` once it reads that one. */
  readerBehind(): void {
    this.#readersBehind += 1;
  }

  readerReopened(): void {
    this.#readersBehind -= 1;
    this.#removeReplaced();
  }

  #removeReplaced(): void {
    const { store, node } = this.#options;
    if (this.#readersBehind === 0 && !node.isStopped) store.removeReplacedStates();
  }
}
