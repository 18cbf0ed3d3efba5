import { assert } from '../../src/assert.ts';

/** Commands and the trace that they are expected to leave. */
export interface Block {
  /** Comments and blank lines before the commands, as they stand. */
  readonly story: readonly string[];
  readonly commands: readonly Command[];
  readonly trace: readonly string[];
}

export interface Command {
  readonly text: string;
  /** Counted from 1 in the scenario file. */
  readonly line: number;
}

export interface Scenario {
  readonly blocks: readonly Block[];
  /** Comments behind the last trace. */
  readonly end: readonly string[];
}

const RULE = '----';

/** Reads comments, commands, `----`, the trace, a blank line, and so on. Throws for commands without a rule. */
export function parseScenario(text: string): Scenario {
  const lines = text.replace(/\n$/, '').split('\n');
  const blocks: Block[] = [];
  let story: string[] = [];
  let commands: Command[] = [];
  for (let at = 0; at < lines.length; at += 1) {
    const line = lines[at] ?? '';
    if (line === RULE) {
      assert(commands.length > 0, `line ${at + 1}: no command stands before the rule`);
      const blank = lines.indexOf('', at);
      const end = blank < 0 ? lines.length : blank;
      blocks.push({ story, commands, trace: lines.slice(at + 1, end) });
      story = [];
      commands = [];
      at = end;
    } else if (line === '' || line.startsWith('#')) {
      assert(commands.length === 0, `line ${at + 1}: ${RULE} must follow the commands`);
      story.push(line);
    } else {
      commands.push({ text: line, line: at + 1 });
    }
  }
  assert(commands.length === 0, `line ${lines.length}: ${RULE} must follow the commands`);
  return { blocks, end: story };
}

/** The file that `parseScenario` would read so; every trace is followed by one blank line, but the last. */
export function formatScenario({ blocks, end }: Scenario): string {
  const parts = blocks.map(({ story, commands, trace }) =>
    [...story, ...commands.map(({ text }) => text), RULE, ...trace].join('\n'),
  );
  if (end.length > 0) parts.push(end.join('\n'));
  return `${parts.join('\n\n')}\n`;
}
