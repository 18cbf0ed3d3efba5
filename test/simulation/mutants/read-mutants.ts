import type { Mutant } from './mutant.ts';

/** Linearizable reads. */
export const READ_MUTANTS: readonly Mutant[] = [
  {
    name: 'read-before-first-commit',
    harms: 'safety',
    story:
      'A new leader serves reads at a commit index that does not yet cover what its predecessor committed.',
    breaks: 'thesis §6.4, step 1: an entry of its own term first',
    seen: 'd-engine #381; etcd/raft asks committedEntryInCurrentTerm for this reason',
    noticedBy: 'linearizability: a read misses what was committed before it',
    file: 'read-index.js',
    edits: [
      {
        from: `confirming.length === 0 && state.log.committed >= leader.firstIndex`,
        to: `confirming.length === 0`,
      },
      {
        from: `reads.waiting.length === 0 || state.log.committed < leader.firstIndex`,
        to: `reads.waiting.length === 0`,
      },
    ],
  },
  {
    name: 'read-confirmed-by-earlier-round',
    harms: 'safety',
    story:
      'Any answer of late confirms the read, also one to a heartbeat that was sent before the read came.',
    breaks: 'thesis §6.4, step 3: a round begun after the read',
    seen: 'rikbw/raft-ts raft/index.ts; etcd #20418 with its lease',
    noticedBy: 'linearizability: a read misses what was committed before it',
    file: 'read-index.js',
    edits: [
      {
        from: `leader.peers.get(node)?.answeredRound ?? 0`,
        to: `leader.peers.get(node)?.recentlyActive ? leader.round : 0`,
      },
    ],
  },
  {
    name: 'read-unconfirmed',
    harms: 'safety',
    story: 'A leader answers reads because it believes that it leads; it was deposed long ago.',
    breaks: 'thesis §6.4, step 3: confirm leadership by a quorum',
    seen: 'etcd #741; #20418 after a process pause',
    noticedBy: 'linearizability: a read misses what was committed before it',
    file: 'read-index.js',
    edits: [
      {
        from: `confirming[0] !== undefined && confirming[0].round <= confirmed`,
        to: `confirming[0] !== undefined && confirming[0].round >= confirmed`,
      },
    ],
  },
  {
    name: 'follower-reads-alone',
    harms: 'safety',
    story: 'A follower answers a linearizable read by its own commit index.',
    breaks: 'thesis §6.4: followers ask the leader',
    seen: 'etcd before 3.0: quorum=false by default; square/p2 #905',
    noticedBy: 'linearizability: a read misses what was committed before it',
    file: 'read-index.js',
    edits: [
      {
        from: `role.unsentReads.push(id);`,
        to: `outbox.reads.push({ id, index: state.log.committed });`,
      },
    ],
  },
  {
    name: 'reads-forgotten',
    harms: 'liveness',
    story: 'Reads that wait when the leader changes are neither answered nor dropped: their clients hang.',
    breaks: 'thesis §6.4: a read is served or asked again',
    seen: 'openraft: an error, not a hang, on dropped responders (2026)',
    noticedBy: 'every read is answered or dropped, once',
    file: 'role.js',
    edits: [{ from: `state.outbox.droppedReads.push(id);`, to: `void id;` }],
  },
];
