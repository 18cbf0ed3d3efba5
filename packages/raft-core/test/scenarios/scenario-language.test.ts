import { describe, expect, test } from 'vitest';
import { Violation } from '../../simulation/invariant.ts';
import { formatScenario, parseScenario } from './scenario-parser.ts';
import { runScenario } from './scenario-runner.ts';

const traceOf = (text: string) =>
  runScenario(parseScenario(text)).blocks.map(({ trace }) => trace.join('\n'));

describe('scenario files', () => {
  test('are written as they are read', () => {
    const text =
      '# A story.\n\ncluster voters n1\n----\nn1 started\n\n# Its end.\n\nstatus\nlog\n----\nn1\n\n# Nothing more.\n';
    expect(formatScenario(parseScenario(text))).toBe(text);
  });

  test('have a trace behind all commands, and commands before each trace', () => {
    expect(() => parseScenario('cluster voters n1\n\nstatus\n----\n')).toThrow('line 2: ---- must follow');
    expect(() => parseScenario('status\n')).toThrow('line 1: ---- must follow');
    expect(() => parseScenario('# A story.\n----\n')).toThrow('line 2: no command');
  });

  test('are compared with what happens now', () => {
    const text = 'cluster voters n1\n----\nn1 started: term 7\n';
    expect(formatScenario(runScenario(parseScenario(text)))).not.toBe(text);
  });

  test.each([
    'jump n1',
    'tick n1 twice',
    'tick n9',
    'propose n1',
    'status n1 please',
    'persist n1',
    'limits maxPatience 1',
    'deliver n1>m2',
    'report n1 n2 happy',
    'disk n1',
    'step n1>n2 heartbeat',
  ])('name the line of a command that makes no sense: %s', (command) => {
    expect(() => traceOf(`cluster voters n1 n2\n${command}\n----\n`)).toThrow(`line 2: ${command}`);
  });

  test('may tell nothing that breaks an invariant of the whole cluster', () => {
    const disks = 'disk n1 terms 1 1 term 2 committed 2\ndisk n2 terms 1 2 term 2 committed 2\n';
    const run = () => traceOf(`cluster voters n1 n2\n${disks}----\n`);
    expect(run).toThrow(expect.objectContaining({ cause: expect.any(Violation) }));
  });

  test('quiet commands trace changes only', () => {
    const [, loud = '', quiet = ''] = traceOf(
      'cluster voters n1 n2\n----\n\ncampaign n1\nstabilize\n----\n\ncluster voters n1 n2\nquietly campaign n1\nquietly stabilize\n----\n',
    );
    expect(loud).toContain('n1 ← n2  requestVoteResponse: becomes leader, term 2');
    expect(quiet).toContain('n1 ← n2  requestVoteResponse: becomes leader, term 2');
    expect(loud).toContain('n1 → n2  requestVote term 2');
    expect(quiet).not.toContain('→');
  });

  test('the parts of a Ready come in their order', () => {
    const ready = 'cluster voters n1 n2\nelect n1\npropose n1 a\nready n1\n';
    expect(traceOf(`${ready}early n1\npersist n1\nadvance n1\n----\n`)[0]).toContain('n1 persists [2.3 "a"]');
    expect(() => traceOf(`${ready}persist n1\n----\n`)).toThrow('line 5: persist n1');
    expect(() => traceOf(`${ready}early n1\nearly n1\n----\n`)).toThrow('line 6: early n1');
  });
});
