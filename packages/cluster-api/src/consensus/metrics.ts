import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';
import { CallTally } from './call-tally.ts';
import { Distribution, histogramText, LATENCY_BOUNDS_SECONDS } from './distribution.ts';
import { WriteTrace } from './write-trace.ts';

const BATCH_BOUNDS = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024];

/** The Prometheus metrics of the consensus thread. */
export class ConsensusMetrics {
  readonly registry = new Registry();
  readonly writeTrace = new WriteTrace();
  readonly logSyncSeconds = new Distribution(LATENCY_BOUNDS_SECONDS);
  readonly applySeconds = new Distribution(LATENCY_BOUNDS_SECONDS);
  readonly commitSeconds = new Distribution(LATENCY_BOUNDS_SECONDS);
  readonly batchEntries = new Distribution(BATCH_BOUNDS);
  readonly calls = new CallTally();
  readonly leaderChanges: Counter;
  readonly peerLinks: Counter<'event'>;
  readonly digestMismatches: Counter<'peer'>;
  readonly snapshots: Counter<'event'>;
  readonly snapshotSeconds: Histogram;
  readonly snapshotBytes: Gauge;
  readonly snapshotSentBytes: Counter;
  readonly snapshotReceivedBytes: Counter;
  readonly #status = {
    term: this.#gauge('metad_raft_term', 'Current term.'),
    isLeader: this.#gauge('metad_raft_is_leader', '1 on the leader, else 0.'),
    hasLeader: this.#gauge('metad_raft_has_leader', '1 while this node knows a leader, else 0.'),
    lastLog: this.#gauge('metad_raft_last_log_index', 'Index of the last entry in the log.'),
    committed: this.#gauge('metad_raft_commit_index', 'Index of the last entry known to be committed.'),
    applied: this.#gauge('metad_raft_applied_index', 'Index of the last applied entry.'),
    version: this.#gauge('metad_version', 'Version of the replicated state.'),
    featureLevel: this.#gauge('metad_feature_level', 'Feature level of the cluster, as applied here.'),
    maxFeatureLevel: this.#gauge(
      'metad_max_feature_level',
      'Feature level that this node lets the cluster rise to: what its release knows, or max_feature_level.',
    ),
    inFlight: this.#gauge('metad_proposals_in_flight', 'Calls that wait for their entry to be applied.'),
    quarantined: this.#gauge(
      'metad_quarantined',
      '1 on a node that differs from a quorum of the others and takes no part any more, else 0.',
    ),
    removed: this.#gauge('metad_removed', '1 on a node that knows that it is no member any more, else 0.'),
    caughtUp: this.#gauge('metad_caught_up', '1 once this node has caught up since its start, else 0.'),
    voters: this.#gauge('metad_raft_voters', 'Members that vote.'),
    learners: this.#gauge('metad_raft_learners', 'Members that get the log and do not vote.'),
    compacted: this.#gauge('metad_raft_compacted_index', 'Index of the last entry that the log has dropped.'),
    logEntries: this.#gauge('metad_raft_log_entries', 'Entries in the log.'),
    logEntryBytes: this.#gauge('metad_raft_log_bytes', 'What the entries in the log take of log.db.'),
    logBytes: this.#gauge('metad_log_db_bytes', 'Size of log.db with its write-ahead log.'),
    stateFileBytes: this.#gauge('metad_state_db_bytes', 'Size of state.db with its write-ahead log.'),
    stateBytes: this.#gauge(
      'metad_state_bytes',
      'What the state takes of state.db: what max_state_size limits.',
    ),
    maxStateBytes: this.#gauge('metad_state_limit_bytes', 'The setting max_state_size; 0: no limit.'),
  };
  readonly #peerMatched: Gauge<'peer'>;
  readonly #peerLag: Gauge<'peer'>;

  constructor(release: string) {
    const registers = [this.registry];
    new Gauge({
      name: 'metad_build_info',
      help: 'Always 1; its label is the release that runs.',
      labelNames: ['version'],
      registers,
    }).set({ version: release }, 1);
    collectDefaultMetrics({ register: this.registry });
    this.leaderChanges = new Counter({
      name: 'metad_raft_leader_changes_total',
      help: 'How often this node saw another leader.',
      registers,
    });
    this.peerLinks = new Counter({
      name: 'metad_peer_link_events_total',
      help: 'Peer connections opened, closed and refused.',
      labelNames: ['event'],
      registers,
    });
    this.snapshots = new Counter({
      name: 'metad_snapshots_total',
      help: 'Snapshots taken, failed, sent, notSent, installed and refused.',
      labelNames: ['event'],
      registers,
    });
    this.snapshotSeconds = new Histogram({
      name: 'metad_snapshot_seconds',
      help: 'Taking one snapshot.',
      buckets: [0.01, 0.05, 0.1, 0.5, 1, 5, 10, 30, 60, 300],
      registers,
    });
    this.snapshotBytes = this.#gauge(
      'metad_snapshot_bytes',
      'Size of the last snapshot taken since the start.',
    );
    this.snapshotSentBytes = this.#counter('metad_snapshot_sent_bytes_total', 'Bytes of snapshots sent.');
    this.snapshotReceivedBytes = this.#counter(
      'metad_snapshot_received_bytes_total',
      'Bytes of snapshots received.',
    );
    this.digestMismatches = new Counter({
      name: 'metad_digest_mismatch_total',
      help: 'How often a peer told another digest than this node has at the same log index.',
      labelNames: ['peer'],
      registers,
    });
    this.#peerMatched = new Gauge({
      name: 'metad_peer_matched_index',
      help: 'On the leader: the last entry that is known to be on the disk of each peer.',
      labelNames: ['peer'],
      registers,
    });
    this.#peerLag = new Gauge({
      name: 'metad_peer_lag_entries',
      help: 'On the leader: how many entries each peer is behind.',
      labelNames: ['peer'],
      registers,
    });
  }

  /** The metrics in Prometheus' text format; the gauges show `now`. */
  async text(now: ConsensusSample): Promise<string> {
    const status = this.#status;
    status.term.set(now.term);
    status.isLeader.set(Number(now.isLeader));
    status.hasLeader.set(Number(now.hasLeader));
    status.lastLog.set(now.lastLog);
    status.committed.set(now.committed);
    status.applied.set(now.applied);
    status.version.set(now.version);
    status.featureLevel.set(now.featureLevel);
    status.maxFeatureLevel.set(now.maxFeatureLevel);
    status.inFlight.set(now.inFlight);
    status.caughtUp.set(Number(now.caughtUp));
    status.quarantined.set(Number(now.quarantined));
    status.removed.set(Number(now.removed));
    status.voters.set(now.voters);
    status.learners.set(now.learners);
    status.compacted.set(now.compacted);
    status.logEntries.set(now.logEntries);
    status.logEntryBytes.set(now.logEntryBytes);
    status.logBytes.set(now.logBytes);
    status.stateFileBytes.set(now.stateFileBytes);
    status.stateBytes.set(now.stateBytes);
    status.maxStateBytes.set(now.maxStateBytes);
    this.#peerMatched.reset();
    this.#peerLag.reset();
    for (const [peer, matched] of now.peers) {
      this.#peerMatched.set({ peer: String(peer) }, matched);
      this.#peerLag.set({ peer: String(peer) }, now.lastLog - matched);
    }
    const own = `${this.calls.text()}${this.#batchText()}${this.writeTrace.text()}`;
    return `${await this.registry.metrics()}${own}`;
  }

  /** What is observed with every batch. */
  #batchText(): string {
    const shown: readonly [Distribution, string, string][] = [
      [this.logSyncSeconds, 'metad_log_sync_seconds', 'Writing and syncing one batch of the log.'],
      [this.applySeconds, 'metad_apply_seconds', 'Applying one batch to the state machine.'],
      [this.commitSeconds, 'metad_commit_seconds', 'From a proposal on the leader to its application.'],
      [this.batchEntries, 'metad_log_batch_entries', 'Entries in one synced batch of the log.'],
    ];
    return shown
      .map(([values, name, help]) => histogramText({ name, help, lines: values.lines(name) }))
      .join('');
  }

  #counter(name: string, help: string): Counter {
    return new Counter({ name, help, registers: [this.registry] });
  }

  #gauge(name: string, help: string): Gauge {
    return new Gauge({ name, help, registers: [this.registry] });
  }
}

/** What the gauges show, taken at the moment of a scrape. */
export interface ConsensusSample {
  readonly term: number;
  readonly isLeader: boolean;
  readonly hasLeader: boolean;
  readonly lastLog: number;
  readonly committed: number;
  readonly applied: number;
  readonly version: number;
  readonly featureLevel: number;
  readonly maxFeatureLevel: number;
  readonly inFlight: number;
  readonly caughtUp: boolean;
  readonly quarantined: boolean;
  readonly removed: boolean;
  readonly voters: number;
  readonly learners: number;
  readonly compacted: number;
  readonly logEntries: number;
  readonly logEntryBytes: number;
  readonly logBytes: number;
  readonly stateFileBytes: number;
  readonly stateBytes: number;
  readonly maxStateBytes: number;
  /** How far each other member's log is known to match; empty on all but the leader. */
  readonly peers: ReadonlyMap<number, number>;
}
