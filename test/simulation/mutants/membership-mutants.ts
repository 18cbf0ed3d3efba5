import type { Mutant } from './mutant.ts';

/** Who votes, who counts, and from when. */
export const MEMBERSHIP_MUTANTS: readonly Mutant[] = [
  {
    name: 'learner-counts',
    harms: 'safety',
    story: 'Learners count for the commit index.',
    breaks: 'thesis §4.2.1: non-voting members',
    seen: 'etcd #21736: a learner promoted silently',
    noticedBy: 'what is committed is on the disks of a quorum of each config',
    file: 'commit.js',
    edits: [{ from: `effectiveMembership(state).configs`, to: `[[...leader.peers.keys(), config.id]]` }],
  },
  {
    name: 'learner-votes',
    harms: 'safety',
    story: 'Learners are asked for votes, and counted.',
    breaks: 'thesis §4.2.1: non-voting members',
    seen: 'etcd 3.6: force-new-cluster kept learners (#20896)',
    noticedBy: 'a leader was elected by a majority of each config; leader completeness',
    file: 'candidate.js',
    edits: [
      {
        from: `[...voters(effectiveMembership(state))]`,
        to: `[...effectiveMembership(state).nodes.keys()]`,
      },
      {
        from: `const { configs } = effectiveMembership(state);`,
        to: `const configs = [[...effectiveMembership(state).nodes.keys()]];`,
      },
    ],
  },
  {
    name: 'learner-campaigns',
    harms: 'liveness',
    story: 'Whoever is in the membership campaigns, learners too.',
    breaks: 'thesis §4.2.1: non-voting members',
    seen: 'campaign timers started for every node, as in liferaft',
    noticedBy: 'a follower is a voter',
    file: 'state.js',
    edits: [
      {
        from: `isVotingHere(state, memberships.at(log.committed).membership)`,
        to: `memberships.effective.membership.nodes.has(state.config.id)`,
      },
    ],
  },
  {
    name: 'joint-as-union',
    harms: 'safety',
    story:
      'A joint membership is decided by a majority of all its voters, which may be a minority of either config.',
    breaks: 'paper §6: separate majorities',
    seen: 'the usual first reading of joint consensus',
    noticedBy: 'what is committed is on the disks of a quorum of each config',
    file: 'quorum.js',
    edits: [
      {
        from: `reachedByMajority(config, reached));`,
        to: `reachedByMajority([...new Set([...configs.flat(), ...config])], reached));`,
      },
      {
        from: `const one = majorityVote(config, vote);`,
        to: `const one = majorityVote([...new Set([...configs.flat(), ...config])], vote);`,
      },
    ],
  },
  {
    name: 'joint-commits-by-new-config',
    harms: 'safety',
    story:
      'While joint, the new config alone commits: the old one, which may not know of it, elects another.',
    breaks: 'paper §6: separate majorities',
    seen: 'single-step changes of any size',
    noticedBy: 'what is committed is on the disks of a quorum of each config',
    file: 'commit.js',
    edits: [
      { from: `effectiveMembership(state).configs`, to: `effectiveMembership(state).configs.slice(-1)` },
    ],
  },
  {
    name: 'joint-elects-by-new-config',
    harms: 'safety',
    story: 'While joint, the new config alone elects, beside a leader of the old one.',
    breaks: 'paper §6: separate majorities',
    seen: 'single-step changes of any size',
    noticedBy: 'a leader was elected by a majority of each config; leader completeness',
    file: 'candidate.js',
    edits: [
      {
        from: `const { configs } = effectiveMembership(state);`,
        to: `const configs = effectiveMembership(state).configs.slice(-1);`,
      },
    ],
  },
  {
    name: 'candidate-with-stale-membership',
    harms: 'safety',
    story:
      'A candidate counts the voters of the membership it knows to be committed, not of the last in its log.',
    breaks: 'thesis §4.1: in effect as soon as it is appended',
    seen: 'etcd applies a change only when committed, and has to guard campaigns for it',
    noticedBy: 'a leader was elected by a majority of each config; leader completeness',
    file: 'candidate.js',
    edits: [
      {
        from: `const { configs } = effectiveMembership(state);`,
        to: `const { configs } = state.memberships.at(state.log.committed).membership;`,
      },
    ],
  },
  {
    name: 'two-changes-at-once',
    harms: 'safety',
    story:
      'Only a joint membership in effect holds up the next change; a uniform one that is not committed does not.',
    breaks: 'thesis §4.1: one change at a time',
    seen: 'etcd/raft guards against it by pendingConfIndex',
    noticedBy: 'at most one membership of a leader is not committed',
    file: 'leader.js',
    edits: [
      {
        from: `logId.index > log.committed`,
        to: `membership.configs.length > 1 && logId.index > log.committed`,
      },
    ],
  },
  {
    name: 'change-before-first-commit',
    harms: 'safety',
    story: 'A new leader begins a change before it knows what is committed.',
    breaks: 'the flaw of the thesis’ single-server changes, found in 2015',
    seen: 'raft-dev, July 2015; every implementation of §4.2 before it',
    noticedBy: 'a leader changes the membership only after the first commit of its term',
    file: 'leader.js',
    edits: [{ from: `if (log.committed < leader.firstIndex)`, to: `if (log.committed < logId.index)` }],
  },
  {
    name: 'membership-not-rolled-back',
    harms: 'safety',
    story: 'A membership whose entry was truncated stays in effect.',
    breaks: 'thesis §4.1: fall back to the previous one',
    seen: 'implementations that keep the membership beside the log',
    noticedBy: 'the effective membership is in the log; memberships come in log order',
    file: 'follower.js',
    edits: [{ from: `memberships.truncateFrom(entry.index);`, to: `` }],
  },
  {
    name: 'snapshot-keeps-membership',
    harms: 'safety',
    story: 'A snapshot replaces the log and leaves the membership of the old one in effect.',
    breaks: 'paper §7: a snapshot holds the configuration',
    seen: 'openraft: purged membership not reset on snapshot install (2026)',
    noticedBy: 'every node believes in the membership that is in its log',
    file: 'membership-log.js',
    edits: [
      {
        from: `this.#stored = [{ logId: snapshot.membershipLogId, membership: snapshot.membership }];`,
        to: `this.appliedTo(snapshot.last.index);`,
      },
    ],
  },
  {
    name: 'removed-leader-leaves-early',
    harms: 'liveness',
    story: 'A leader that has appended its own removal steps down before that is committed.',
    breaks: 'paper §6: steps down once it has committed C-new',
    seen: 'stepping down in the append path; the paper warns of it',
    noticedBy: 'a leader steps down only without a quorum, or when its removal is committed',
    file: 'leader.js',
    edits: [
      {
        from: `leader.quorumCheckElapsedTicks += 1;`,
        to: `if (!isVoter(effectiveMembership(state), state.config.id)) { becomeFollower(state, { term: state.term, leader: null }); return; } leader.quorumCheckElapsedTicks += 1;`,
      },
    ],
  },
  {
    name: 'removed-node-goes-quiet',
    harms: 'liveness',
    story:
      'A node never campaigns in a membership without it, though it alone may have the entry that says so.',
    breaks: 'thesis §4.2.2: it must still campaign',
    seen: 'here: a cluster that stood still for ever',
    noticedBy: 'without faults a leader is elected',
    file: 'state.js',
    edits: [
      {
        from: `isOwnVoter(state) || isVotingHere(state, memberships.at(log.committed).membership)`,
        to: `isOwnVoter(state)`,
      },
    ],
  },
];
