import { createHash } from 'node:crypto';
import { expect, test } from 'vitest';
import type { Command, WriteCommand } from '../src/command.ts';
import { BARE_FORMAT, COMMAND_FORMAT, encodeCommand } from '../src/command-codec.ts';
import { encodeEntry } from '../src/entry-codec.ts';
import { LOG_FORMAT } from '../src/log-schema.ts';
import { CREATE_MANIFEST, SNAPSHOT_FORMAT } from '../src/snapshot-manifest.ts';
import { STATE_FORMAT } from '../src/state-schema.ts';
import { version } from '../src/version.ts';
import { entry, membershipOf } from './fixtures.ts';

/*
 * Files and commands outlive the release that wrote them. When one of these fails, the format has changed: raise its
 * version, keep reading the older one, and add a line; never edit a line.
 */

const commands: readonly Command[] = [
  {
    type: 'merge',
    tree: 'data',
    leaves: [
      ['/a/é', 'x'],
      ['/b', 'long '.repeat(60)],
    ],
  },
  { type: 'replace', tree: 'mapping', path: '/10.0.0.1', leaves: [['/10.0.0.1/node', '/nodes/1']] },
  { type: 'delete', tree: 'data', paths: ['/a', '/'] },
  { type: 'deleteValue', tree: 'mapping', path: '/a' },
  {
    type: 'setRules',
    rules: [
      [
        '10.0.0.1',
        [
          { path: '/a/*', mode: 1 },
          { path: '/', mode: 0 },
        ],
      ],
      ['fe80::1', []],
    ],
  },
  { type: 'deleteRules', hosts: ['10.0.0.1'] },
];

const write: WriteCommand = {
  type: 'write',
  time: 1_700_000_000_123,
  author: 'Jörg (::1)',
  idempotencyKey: 'key-1',
  preconditions: [
    { type: 'unchangedSince', tree: 'data', path: '/a', version: version(2 ** 40) },
    { type: 'absent', tree: 'mapping', path: '/' },
    { type: 'present', tree: 'data', path: '/b' },
    { type: 'equals', tree: 'data', path: '/c', value: '' },
  ],
  operations: commands.filter((command) => command.type !== 'write' && command.type !== 'setFeatureLevel'),
};

const entries = [
  entry(1, { type: 'membership', membership: membershipOf(3, 1) }, 1),
  entry(2, { type: 'blank' }, 2),
  entry(300, { type: 'command', data: Buffer.from([1, 2, 3]) }, 40),
];

/** Comments and layout may change, the tables may not. */
function tablesOf(ddl: string): string {
  return ddl.replaceAll(/--.*$/gm, '').replaceAll(/\s+/g, ' ').trim();
}

const history: Record<
  'command' | 'level command' | 'write' | 'log' | 'state' | 'snapshot',
  Record<number, string>
> = {
  command: { 1: '986a1fba571d3b87' },
  'level command': { 1: '5b2cd3041f6d21e0' },
  write: { 2: '0528b7433697909f' },
  log: { 1: '944a51ab69c55ef3', 2: '538bb6a89b192498' },
  state: { 1: 'ea8b20fdbf80b54a', 2: '7c3c48ebd0a50899', 3: '96763dad9c822aa0' },
  snapshot: { 1: '45000eb86792d628' },
};

test.each([
  ['command', BARE_FORMAT, commands.map((command) => Buffer.from(encodeCommand(command)).toString('hex'))],
  // Came later, as a kind that older releases refuse.
  [
    'level command',
    BARE_FORMAT,
    [Buffer.from(encodeCommand({ type: 'setFeatureLevel', level: 2 })).toString('hex')],
  ],
  ['write', COMMAND_FORMAT, [Buffer.from(encodeCommand(write)).toString('hex')]],
  ['log', LOG_FORMAT.version, [tablesOf(LOG_FORMAT.ddl), LOG_FORMAT.applicationId, entries.map(encodeEntry)]],
  ['state', STATE_FORMAT.version, [tablesOf(STATE_FORMAT.ddl), STATE_FORMAT.applicationId]],
  ['snapshot', SNAPSHOT_FORMAT, [tablesOf(CREATE_MANIFEST)]],
] as const)('the %s format %i is what it was when it was released', (name, version, sample) => {
  const hash = createHash('sha256').update(JSON.stringify(sample)).digest('hex');
  expect(hash.slice(0, 16)).toBe(history[name][version]);
});
