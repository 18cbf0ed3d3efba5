import { randomUUID } from 'node:crypto';
import { type NodeIdentity, StateDatabase, Store, StoreError } from '@metad/kv-store';
import type { Logger } from 'pino';
import { Backups } from './backup/backups.ts';
import { createClusterListener } from './cluster-http/cluster-listener.ts';
import { localAddress } from './config/address.ts';
import type { NodeConfig } from './config/node-config.ts';
import { packageVersion } from './config/package-version.ts';
import { raftConfig } from './config/raft-config.ts';
import { entryBytesLimit, MAX_FRAME_BYTES } from './config/wire-limits.ts';
import { CallRouter } from './consensus/call-router.ts';
import { DigestCheck } from './consensus/digest-check.ts';
import { FeatureLevels, supportedLevels } from './consensus/feature-levels.ts';
import { InstanceBinding } from './consensus/instance-binding.ts';
import { LeaderCalls } from './consensus/leader-calls.ts';
import { ConsensusMetrics } from './consensus/metrics.ts';
import { Node } from './consensus/node.ts';
import { takeSample } from './consensus/sample.ts';
import { StateQuota } from './consensus/state-quota.ts';
import { admitPeer, describeForeignCluster, describeStart, establishIdentity } from './identity.ts';
import { JoinLoop } from './join-loop.ts';
import { type BoundPorts, type ClusterDoor, NodePorts } from './node-ports.ts';
import { PeerEventLog } from './peers/event-log.ts';
import { createTcpTransport, type TcpTransport } from './peers/tcp-transport.ts';
import type { PeerHandlers, SupportedLevels } from './peers/transport.ts';
import { quarantineMessage, refuseQuarantined, writeQuarantine } from './quarantine.ts';
import { restoreIfAsked } from './restore.ts';
import { Snapshots } from './snapshots/snapshots.ts';

const IDENTIFY_TIMEOUT_MS = 3_000;
const MEMBERSHIP_TIMEOUT_MS = 30_000;
/** How long a node that stops lets its calls end; then they are answered as they stand. */
const DRAIN_MS = 2_000;
/** How long it lets clients take their answers. */
const STOP_GRACE_MS = 5_000;

export interface DaemonOptions {
  readonly config: NodeConfig;
  readonly logger: Logger;
  /** The node has stopped taking part for good: the process must end with this reason. */
  readonly onFault: (error: unknown) => void;
}

/**
 * A whole node in this process: store, consensus loop, peers, cluster port, and the HTTP thread. The one place that
 * composes, listens and ticks.
 */
export class Daemon {
  readonly #options: DaemonOptions;
  readonly #store: Store;
  readonly #state: StateDatabase;
  readonly #backups: Backups;
  readonly #metrics = new ConsensusMetrics(packageVersion());
  readonly #ports: NodePorts;
  readonly #transport: TcpTransport;
  readonly #node: Node;
  readonly #snapshots: Snapshots;
  readonly #instances: InstanceBinding;
  readonly #digests: DigestCheck;
  readonly #levels: SupportedLevels;
  readonly #leaderCalls: LeaderCalls;
  readonly #router: CallRouter;
  readonly #advertise: string;
  readonly #run = randomUUID();
  #identity: NodeIdentity;
  readonly #join: JoinLoop | null;

  /** Rejects, with nothing left open, when any part of the node can't start. */
  static async start(options: DaemonOptions): Promise<Daemon> {
    const { config, logger, onFault } = options;
    refuseQuarantined(config.dataDir);
    const ports = await NodePorts.open(config, onFault);
    let daemon: Daemon | null = null;
    try {
      restoreIfAsked(config, logger);
      daemon = Daemon.#compose(options, Store.open(config.dataDir), ports);
      await daemon.#open();
      return daemon;
    } catch (error) {
      await (daemon ? daemon.stop() : ports.close(0));
      throw error;
    }
  }

  /** Closes the store when the rest can't be made. */
  static #compose(options: DaemonOptions, store: Store, ports: NodePorts): Daemon {
    try {
      return new Daemon(options, store, ports);
    } catch (error) {
      store.close();
      throw error;
    }
  }

  /** Each part is made of those above it; nothing runs yet. */
  private constructor(options: DaemonOptions, store: Store, ports: NodePorts) {
    const { config, logger } = options;
    this.#options = options;
    this.#store = store;
    this.#ports = ports;
    this.#advertise =
      config.advertiseCluster ?? localAddress({ ...config.listenCluster, port: ports.bound.cluster });
    this.#levels = supportedLevels(config.maxFeatureLevel);
    this.#identity = this.#establishIdentity();
    this.#state = StateDatabase.open(store.stateFile);
    this.#backups = new Backups(store, config.dataDir);
    this.#transport = this.#createTransport();
    this.#node = this.#createNode();
    this.#snapshots = this.#createSnapshots();
    this.#digests = this.#createDigestCheck();
    this.#instances = new InstanceBinding({ node: this.#node, logger, self: this.#identity });
    this.#leaderCalls = this.#createLeaderCalls();
    this.#router = this.#createRouter();
    this.#join = this.#createJoinLoop();
  }

  get ports(): BoundPorts {
    return this.#ports.bound;
  }

  /** Lets every part run: peers and the loop first, those who ask last. */
  async #open(): Promise<void> {
    this.#store.reserveLog();
    this.#transport.start();
    this.#node.start();
    this.#store.startCheckpoints();
    this.#snapshots.start();
    this.#digests.start();
    this.#ports.serveCluster(this.#createClusterDoor());
    await this.#serveHttp();
    this.#join?.start();
  }

  /** Hands the lead over, answers what is open, releases the waiters, closes ports and databases. */
  async stop(): Promise<void> {
    this.#join?.stop();
    this.#digests.stop();
    if (this.#node.state.leader === this.#node.id) await this.#node.transferLeadership(null);
    // Definitely refused now, rather than cut off in a moment.
    this.#router.close();
    this.#backups.stop();
    const closed = this.#ports.close(STOP_GRACE_MS);
    const drainTicks = Math.ceil(DRAIN_MS / this.#options.config.heartbeatIntervalMs);
    // Those of this node's clients, and those that other nodes have forwarded here.
    await this.#node.until(() => this.#router.openCalls + this.#node.inFlight === 0, drainTicks);
    // What has no quorum by now is answered as unknown; the connections of peers are closed, so the servers can.
    this.#node.stop();
    await this.#transport.stop();
    await Promise.all([closed, this.#snapshots.stop()]);
    this.#state.close();
    this.#store.close();
  }

  #establishIdentity(): NodeIdentity {
    const { config, logger } = this.#options;
    const isNew = this.#store.log.identity() === null;
    const identity = establishIdentity(this.#store, config, this.#advertise);
    const { node, instance, cluster } = identity;
    const membership = this.#store.initialState().memberships.at(-1)?.membership;
    logger.info({ cluster, instance }, describeStart(membership, identity, isNew));
    const foreign = describeForeignCluster(config, identity);
    if (foreign !== null) logger.warn(foreign);
    const recorded = membership?.nodes.get(node)?.addr;
    if (recorded !== undefined && recorded !== this.#advertise) {
      const move = `POST /add-learner [${node}, "${this.#advertise}"]`;
      logger.warn(
        `the others look for this node at ${recorded}, not at ${this.#advertise}: move it with ${move}`,
      );
    }
    return identity;
  }

  #createTransport(): TcpTransport {
    const { config, logger } = this.#options;
    const peerLog = new PeerEventLog(logger);
    return createTcpTransport({
      handlers: this.#peerHandlers(),
      token: config.clusterToken,
      limits: { maxFrameBytes: MAX_FRAME_BYTES },
      onEvent: (event) => {
        this.#metrics.peerLinks.inc({ event: event.type });
        peerLog.write(event);
      },
    });
  }

  #peerHandlers(): PeerHandlers {
    return {
      identity: () => {
        const { logId } = this.#node.status().committedMembership;
        return { ...this.#identity, run: this.#run, membership: logId, levels: this.#levels };
      },
      admit: (peer) => {
        const admission = admitPeer(this.#identity, peer, this.#node.status());
        if (admission.type === 'admitted') this.#instances.learn(peer);
        return admission;
      },
      receive: (messages, from) => {
        if (this.#identity.cluster === null) this.#adoptCluster(from.cluster);
        this.#node.receive(messages);
      },
      call: async (call) => {
        const outcome = await this.#leaderCalls.executeForwarded(call);
        this.#node.tellCommitted();
        return outcome;
      },
      snapshot: (frame, channel) => {
        if (this.#identity.cluster === null) this.#adoptCluster(channel.peer.cluster);
        this.#snapshots.receive(frame, channel);
      },
      digests: (marks, { node }) => this.#digests.receive(marks, node),
      notMember: (without) => this.#node.reportNotMember(without),
      unreachable: (peer) => this.#node.reportUnreachable(peer),
    };
  }

  #createNode(): Node {
    const { config, logger, onFault } = this.#options;
    const tickMs = config.heartbeatIntervalMs;
    const node = new Node({
      store: this.#store,
      raft: raftConfig(config, this.#identity),
      transport: this.#transport,
      sendSnapshot: (message) => this.#snapshots.send(message),
      metrics: this.#metrics,
      logger,
      tickMs,
      patienceTicks: Math.ceil(config.limits.proposeTimeoutMs / tickMs),
      maxInflightProposals: config.limits.maxInflightProposals,
      onFault,
    });
    node.onApplied(({ stateFile }) => {
      if (stateFile !== undefined) this.#state.reopen(stateFile);
    });
    return node;
  }

  #createSnapshots(): Snapshots {
    const { config, logger } = this.#options;
    return new Snapshots({
      store: this.#store,
      dataDir: config.dataDir,
      node: this.#node,
      transport: this.#transport,
      settings: config.snapshots,
      tickMs: config.heartbeatIntervalMs,
      logger,
      metrics: this.#metrics,
    });
  }

  #createDigestCheck(): DigestCheck {
    const check = new DigestCheck({
      self: this.#node.id,
      membership: () => this.#node.status().committedMembership.membership,
      current: () => ({ index: this.#store.state.applied.index, digest: this.#store.state.digest }),
      send: (marks) => this.#transport.sendDigests(marks),
      onMismatch: (peer) => this.#metrics.digestMismatches.inc({ peer: String(peer) }),
      // Later: it may have been found in the middle of a turn of the loop.
      onCondemned: (reason) => setImmediate(() => this.#quarantine(reason)),
      logger: this.#options.logger,
    });
    this.#node.onApplied((batch) => check.applied(batch));
    return check;
  }

  #createLeaderCalls(): LeaderCalls {
    const { config, logger } = this.#options;
    const store = this.#store;
    const features = new FeatureLevels({
      node: this.#node,
      present: () => store.state.featureLevel,
      own: this.#levels,
      levelsOf: (peer) => this.#transport.linkedPeer(peer)?.levels ?? null,
      logger,
    });
    return new LeaderCalls({
      requiredLevel: () => features.required,
      node: this.#node,
      transport: this.#transport,
      clusterId: () => this.#identity.cluster,
      maxEntryBytes: entryBytesLimit(config),
      quota: new StateQuota({
        maxBytes: config.limits.maxStateBytes,
        usedBytes: () => store.state.bytes,
      }),
      identifyTimeoutMs: IDENTIFY_TIMEOUT_MS,
      membershipPatienceTicks: Math.ceil(MEMBERSHIP_TIMEOUT_MS / config.heartbeatIntervalMs),
    });
  }

  #createRouter(): CallRouter {
    const { limits, heartbeatIntervalMs } = this.#options.config;
    return new CallRouter({
      node: this.#node,
      leaderCalls: this.#leaderCalls,
      transport: this.#transport,
      metrics: this.#metrics,
      tickMs: heartbeatIntervalMs,
      maxOpenCalls: limits.maxInflightProposals,
      maxOpenBytes: limits.maxUncommittedBytes,
      leaderWaitMs: limits.leaderWaitMs,
      proposeTimeoutMs: limits.proposeTimeoutMs,
      membershipTimeoutMs: MEMBERSHIP_TIMEOUT_MS,
    });
  }

  /** null: nobody is to be asked, or this node has been added before. */
  #createJoinLoop(): JoinLoop | null {
    const { config, logger } = this.#options;
    if (config.start.type !== 'join' || this.#identity.cluster !== null) return null;
    return new JoinLoop({
      members: config.start.members,
      node: config.id,
      addr: this.#advertise,
      token: config.clusterToken,
      isMember: () => this.#identity.cluster !== null,
      logger,
    });
  }

  #createClusterDoor(): ClusterDoor {
    const { config, logger, onFault } = this.#options;
    const handle = createClusterListener({
      node: this.#node,
      store: this.#store,
      identity: () => this.#identity,
      router: this.#router,
      trace: this.#metrics.writeTrace,
      state: this.#state,
      backups: this.#backups,
      snapshots: this.#snapshots,
      config,
      maxFeatureLevel: this.#levels.allowed,
      onError: (err) => {
        if (err instanceof StoreError) onFault(err);
        else logger.error({ err }, 'a request on the cluster port failed');
      },
    });
    return { handle, handlePeer: (...upgrade) => this.#transport.handleUpgrade(...upgrade) };
  }

  #serveHttp(): Promise<void> {
    return this.#ports.http.serve({
      node: this.#node,
      stateFile: this.#store.stateFile,
      router: this.#router,
      trace: this.#metrics.writeTrace,
      metrics: () => this.#metrics.text(takeSample(this.#node, this.#store, this.#options.config)),
      onBehind: () => this.#snapshots.readerBehind(),
      onReopened: () => this.#snapshots.readerReopened(),
    });
  }

  /**
   * This node differs from the others: it votes, acknowledges and serves no more, now and in every later process, and
   * stays up to say so.
   */
  #quarantine(reason: string): void {
    const { logger, config } = this.#options;
    const message = quarantineMessage(this.#node.id, reason);
    this.#digests.stop();
    this.#node.quarantine(message);
    this.#router.close();
    this.#backups.stop();
    void this.#snapshots.stop();
    void this.#transport.stop();
    logger.fatal(`this node is ${message}`);
    try {
      writeQuarantine(config.dataDir, message);
    } catch (error) {
      this.#options.onFault(error);
    }
  }

  /** A standby belongs to the cluster whose member first speaks to it, for as long as its data directory lives. */
  #adoptCluster(cluster: string | null): void {
    if (cluster === null) return;
    const identity = { ...this.#identity, cluster };
    try {
      this.#store.log.saveIdentity(identity);
    } catch (error) {
      this.#node.stop();
      this.#options.onFault(error);
      return;
    }
    this.#identity = identity;
    this.#options.logger.info({ cluster }, 'joined a cluster');
  }
}
