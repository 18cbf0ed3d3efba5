import { logIndex, term } from '../../src/ids.ts';
import type { MembershipChange } from '../../src/membership-change.ts';
import type { Message } from '../../src/message.ts';
import { commandAt, logIdAt } from '../solo.ts';
import { type CommandWords, parseTermAndIndex } from './command-words.ts';

/** `addLearner n4`, `removeLearner n4` or `setVoters n1 n2`. */
export function parseChange(words: CommandWords): MembershipChange {
  const type = words.oneOf(['addLearner', 'removeLearner', 'setVoters']);
  switch (type) {
    case 'addLearner': {
      const node = words.node();
      return { type, node, record: { addr: `10.0.0.${node}:21001` } };
    }
    case 'removeLearner':
      return { type, node: words.node() };
    case 'setVoters':
      return { type, voters: words.nodes() };
  }
}

/** `n1>n2 appendEntries term 3 previous 1.1 terms 2 2 committed 4`: entries of these terms right behind `previous`. */
export function parseMessage(words: CommandWords): Message {
  const link = words.maybeLink();
  if (link?.from == null || link.to === null) throw new Error('a link is written n1>n2');
  words.oneOf(['appendEntries']);
  const after = (keyword: string) => {
    if (!words.maybe(keyword)) throw new Error(`${keyword} is missing`);
  };
  after('term');
  const at = term(words.number());
  after('previous');
  const [previousTerm, previousIndex] = parseTermAndIndex(words.word());
  const terms = words.maybe('terms') ? words.numbers() : [];
  after('committed');
  return {
    type: 'appendEntries',
    from: link.from,
    to: link.to,
    term: at,
    previous: logIdAt(previousTerm, previousIndex),
    entries: terms.map((entryTerm, i) => {
      const index = previousIndex + 1 + i;
      return commandAt(entryTerm, index, `${entryTerm}.${index}`);
    }),
    committed: logIndex(words.number()),
    round: 0,
  };
}
