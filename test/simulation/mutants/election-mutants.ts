import type { Mutant } from './mutant.ts';

/** Votes, terms and election timers. */
export const ELECTION_MUTANTS: readonly Mutant[] = [
  {
    name: 'vote-before-persist',
    harms: 'safety',
    story: 'A vote leaves before it is on disk; after a crash the node votes again in the same term.',
    breaks: 'thesis §3.8: persist before responding',
    seen: 'rikbw/raft-ts: granting emits only the reply',
    noticedBy: 'what leaves early promises nothing about the disk; election safety',
    file: 'state.js',
    edits: [
      {
        from: `state.outbox.messages.push(message);`,
        to: `(message.type === 'requestVoteResponse' ? state.outbox.early : state.outbox.messages).push(message);`,
      },
    ],
  },
  {
    name: 'campaign-before-persist',
    harms: 'safety',
    story:
      'A candidate asks for votes and counts its own before that is on disk; after a crash it votes for another.',
    breaks: 'thesis §3.8: persist before sending a RequestVote',
    seen: 'rikbw/raft-ts: the own vote is dropped when persisting',
    noticedBy: 'what leaves early promises nothing about the disk; election safety',
    file: 'candidate.js',
    edits: [
      {
        from: `sendPersisted(state, { ...envelope(state, to), type: 'requestVote', lastLog: state.log.last, transfer });`,
        to: `state.outbox.early.push({ ...envelope(state, to), type: 'requestVote', lastLog: state.log.last, transfer });`,
      },
      {
        from: `{ type: 'candidate', votes: new Map() }`,
        to: `{ type: 'candidate', votes: new Map([[state.config.id, true]]) }`,
      },
      {
        from: `role.type !== 'candidate' || role.votes.has(config.id)`,
        to: `role.type !== 'candidate'`,
      },
    ],
  },
  {
    name: 'vote-saved-with-term-only',
    harms: 'safety',
    story: 'The hard state is written when the term changes; a vote granted later in that term is not.',
    breaks: 'paper figure 2: votedFor is persistent',
    seen: 'liferaft: term and vote only in memory',
    noticedBy: 'a vote that leaves is on disk; election safety',
    file: 'raft.js',
    edits: [
      {
        from: `term !== this.#handedOut.term || votedFor !== this.#handedOut.votedFor`,
        to: `term !== this.#handedOut.term`,
      },
    ],
  },
  {
    name: 'vote-not-synced',
    harms: 'safety',
    story: 'A write is synced only for entries, so that a power failure takes a vote back.',
    breaks: 'thesis §3.8: on stable storage',
    seen: 'NATS JetStream 2.12 (Jepsen): fsync every two minutes',
    noticedBy: 'a Ready with a term or a vote must be synced; election safety',
    file: 'raft.js',
    edits: [
      {
        from: `snapshot !== null || entries.length > 0 || this.#voteChanged()`,
        to: `snapshot !== null || entries.length > 0`,
      },
    ],
  },
  {
    name: 'append-clears-vote',
    harms: 'safety',
    story: 'Every append of a leader clears the vote, and a second one is given in the same term.',
    breaks: 'paper §5.2: at most one vote per term',
    seen: 'MrWolfZ/node-raft behaviors/follower.ts',
    noticedBy: 'one vote per term',
    file: 'follower.js',
    edits: [
      {
        from: `state.electionElapsedTicks = 0;`,
        to: `state.electionElapsedTicks = 0; state.votedFor = null;`,
      },
    ],
  },
  {
    name: 'lost-election-clears-vote',
    harms: 'safety',
    story: 'A candidate that gives up returns to follower as at the start of a term: without a vote.',
    breaks: 'paper §5.2: at most one vote per term',
    seen: 'becomeFollower() that resets every field beside the log, as in home-made Rafts',
    noticedBy: 'one vote per term',
    file: 'role.js',
    edits: [
      {
        from: `if (role.type === 'leader')`,
        to: `if (role.type === 'candidate') state.votedFor = null; if (role.type === 'leader')`,
      },
    ],
  },
  {
    name: 'up-to-date-by-index-only',
    harms: 'safety',
    story: 'A voter compares the lengths of the logs: a long log of an old term wins over what is committed.',
    breaks: 'paper §5.4.1: the later last term, then the longer log',
    seen: 'liferaft index.js, skiff states/base.js: indexes and terms compared apart',
    noticedBy: 'leader completeness',
    file: 'vote.js',
    edits: [{ from: `compareLogId(lastLog, log.last) >= 0`, to: `lastLog.index >= log.last.index` }],
  },
  {
    name: 'up-to-date-by-term-only',
    harms: 'safety',
    story: 'A voter compares the last terms: a shorter log of the same term wins over what is committed.',
    breaks: 'paper §5.4.1: the later last term, then the longer log',
    seen: 'MrWolfZ/node-raft, liferaft index.js: indexes and terms compared apart',
    noticedBy: 'leader completeness',
    file: 'vote.js',
    edits: [{ from: `compareLogId(lastLog, log.last) >= 0`, to: `lastLog.term >= log.last.term` }],
  },
  {
    name: 'transfer-skips-log-check',
    harms: 'safety',
    story:
      'The leader has asked for this election, so its candidate is not asked how much of the log it has.',
    breaks: 'thesis §3.10: a transfer overrides the timer, not the vote',
    seen: 'a transfer taken for an order: nobody’s known bug, and an easy one to write',
    noticedBy: 'a vote goes to a log that is up to date; leader completeness',
    file: 'vote.js',
    edits: [
      {
        from: `(free || state.votedFor === request.from) && isUpToDate(state, request)`,
        to: `(free || state.votedFor === request.from) && (request.transfer || isUpToDate(state, request))`,
      },
    ],
  },
  {
    name: 'no-pre-vote',
    harms: 'liveness',
    story:
      'A node campaigns without asking first; one that was cut off comes back with a term that unseats all.',
    breaks: 'thesis §9.6: pre-vote',
    seen: 'hashicorp/raft before 1.7, etcd before pre-vote was the default',
    noticedBy: 'a tick alone raises no term',
    file: 'candidate.js',
    edits: [{ from: `conclude(state, preCandidate);`, to: `campaign(state, { transfer: false });` }],
  },
  {
    name: 'pre-vote-raises-terms',
    harms: 'liveness',
    story:
      'A pre-vote is handled like any message of a later term, which it raises everywhere without an election.',
    breaks: 'thesis §9.6: a pre-vote changes nothing',
    seen: 'pre-votes sent as ordinary requests for votes, the first idea of everyone',
    noticedBy: 'a pre-vote changes nothing',
    file: 'step.js',
    edits: [
      {
        from: `// Nobody campaigns in that term yet.`,
        to: `becomeFollower(state, { term, leader: null });`,
      },
    ],
  },
  {
    name: 'disruptive-vote-heard',
    harms: 'liveness',
    story:
      'A vote is considered although a leader is alive: a removed node unseats one leader after the other.',
    breaks: 'thesis §4.2.3: disruptive servers',
    seen: 'etcd before CheckQuorum; zombie members after etcd 3.6 upgrades (#20967)',
    noticedBy: 'a leader is not unseated by a vote that it did not ask for',
    file: 'step.js',
    edits: [
      {
        from: `message.term > state.term && !message.transfer && hearsLeader(state)`,
        to: `message.term > state.term && message.transfer && hearsLeader(state)`,
      },
    ],
  },
  {
    name: 'refused-vote-resets-timer',
    harms: 'liveness',
    story: 'Being asked resets the election timer; nodes that cannot win hold up the one that could.',
    breaks: 'paper §5.2: reset when granting a vote',
    seen: 'rikbw/raft-ts state.ts',
    noticedBy: 'the election timer starts again only by a leader or a granted vote',
    file: 'vote.js',
    edits: [
      {
        from: `const granted = request.term > state.term && isUpToDate(state, request);`,
        to: `resetElectionTimer(state); const granted = request.term > state.term && isUpToDate(state, request);`,
      },
    ],
  },
  {
    name: 'stale-leader-resets-timer',
    harms: 'liveness',
    story: 'A leader of an old term, heard over a one-way link, keeps its former followers from electing.',
    breaks: 'paper figure 2: from the current leader',
    seen: 'rikbw/raft-ts state.ts',
    noticedBy: 'the election timer starts again only by a leader or a granted vote',
    file: 'step.js',
    edits: [
      {
        from: `sendPersisted(state, { ...envelope(state, from), type: 'heartbeatResponse', round: 0 });`,
        to: `state.electionElapsedTicks = 0; sendPersisted(state, { ...envelope(state, from), type: 'heartbeatResponse', round: 0 });`,
      },
    ],
  },
  {
    name: 'no-check-quorum',
    harms: 'liveness',
    story: 'A leader that nobody answers goes on, and takes writes that it can never commit.',
    breaks: 'thesis §6.2: step down without a quorum',
    seen: 'etcd before CheckQuorum was the default',
    noticedBy: 'a leader that no quorum has answered for two election timeouts leads no more',
    file: 'leader.js',
    edits: [
      {
        from: `voteResult(effectiveMembership(state).configs, answered) !== 'won'`,
        to: `voteResult(effectiveMembership(state).configs, answered) === 'pending'`,
      },
    ],
  },
];
