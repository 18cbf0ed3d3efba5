import type { Mutant } from './mutant.ts';

/** What keeps a cluster moving: flows, windows, transfers, limits. */
export const FLOW_MUTANTS: readonly Mutant[] = [
  {
    name: 'lost-window-never-resent',
    harms: 'liveness',
    story:
      'A window of appends that were lost stays full for ever: no answer comes, and nothing else is sent.',
    breaks: 'paper §5.3: the leader retries indefinitely',
    seen: 'etcd/raft: a full inflight window blocked a restarted follower (MsgHeartbeatResp frees one since)',
    noticedBy: 'without faults every member catches up',
    file: 'replication.js',
    edits: [{ from: `flow.nudge = true;`, to: `flow.nudge = false;` }],
  },
  {
    name: 'lost-probe-never-resent',
    harms: 'liveness',
    story: 'A probe waits for its answer only, and that was lost.',
    breaks: 'paper §5.3: the leader retries indefinitely',
    seen: 'Promise.race loops in MrWolfZ/node-raft runFollower',
    noticedBy: 'without faults every member catches up',
    file: 'replication.js',
    edits: [{ from: `flow.paused = false;`, to: `flow.paused = true;` }],
  },
  {
    name: 'failed-snapshot-never-resent',
    harms: 'liveness',
    story: 'A snapshot that did not arrive is waited for.',
    breaks: 'paper §7: the leader sends it again',
    seen: 'etcd/raft: ReportSnapshot must be called on failure; openraft #1828',
    noticedBy: 'without faults every member catches up',
    file: 'raft.js',
    edits: [
      {
        from: `progress?.flow.type !== 'snapshot'`,
        to: `progress?.flow.type !== 'snapshot' || result === 'failed'`,
      },
    ],
  },
  {
    name: 'purged-log-never-sent',
    harms: 'liveness',
    story: 'A peer whose next entry is compacted is probed at the first entry left, which it can never take.',
    breaks: 'paper §7: a follower that lags gets a snapshot',
    seen: 'openraft #1828: a learner behind a fully purged log, stuck for ever',
    noticedBy: 'without faults every member catches up',
    file: 'replication.js',
    edits: [
      {
        from: `minIndex(rejected, nextIndex(lastThatMayAgree(log, matched, hint)))`,
        to: `maxIndex(nextIndex(log.compacted.index), minIndex(rejected, nextIndex(lastThatMayAgree(log, matched, hint))))`,
      },
    ],
  },
  {
    name: 'transfer-without-timeout',
    harms: 'liveness',
    story: 'A leader that hands over waits for its target for ever, and takes no proposals meanwhile.',
    breaks: 'thesis §3.10: abort after an election timeout',
    seen: 'a transfer that ends only by its success; etcd/raft aborts it by the election timeout',
    noticedBy: 'a transfer ends within an election timeout',
    file: 'transfer.js',
    edits: [
      {
        from: `transfer.elapsedTicks < state.config.electionTimeoutTicks`,
        to: `transfer.elapsedTicks < Number.POSITIVE_INFINITY`,
      },
    ],
  },
  {
    name: 'overload-never-ends',
    harms: 'liveness',
    story: 'What is committed is not taken off the uncommitted bytes: once overloaded, always overloaded.',
    breaks: 'the bound is on what is not committed',
    seen: 'accounts kept by adding and taking off, as etcd/raft’s uncommittedSize',
    noticedBy: 'without faults proposals commit',
    file: 'leader.js',
    edits: [{ from: `maxIndex(log.committed, previousIndex(firstIndex))`, to: `previousIndex(firstIndex)` }],
  },
  {
    name: 'leader-without-blank',
    harms: 'liveness',
    story:
      'A new leader appends nothing: what its predecessor left is not committed, reads wait for the next write.',
    breaks: 'paper §8: a blank no-op entry at the start of its term',
    seen: 'teaching Rafts; the paper names it for reads only',
    noticedBy: 'a leader’s log ends with an entry of its own term',
    file: 'leader.js',
    edits: [{ from: `appendEntry(state, leader, { type: 'blank' });`, to: `` }],
  },
];
