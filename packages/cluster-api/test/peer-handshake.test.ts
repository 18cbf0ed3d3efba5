import type { IncomingHttpHeaders } from 'node:http';
import { type LogId, logIndex, nodeId, term, ZERO_LOG_ID } from '@metad/raft-core';
import { describe, expect, test } from 'vitest';
import {
  checkToken,
  dialHeaders,
  judgeAnswer,
  judgeUpgrade,
  printable,
  readIdentity,
  readWithout,
  type UpgradeVerdict,
} from '../src/peers/handshake.ts';
import { ASK, CHALLENGE, SignedRequest, TokenGate } from '../src/peers/token-proof.ts';
import type { PeerIdentity } from '../src/peers/transport.ts';

function membershipAt(index: number, inTerm = 2): LogId {
  return { term: term(inTerm), leader: nodeId(1), index: logIndex(index) };
}

const DIALLER: PeerIdentity = {
  node: nodeId(1),
  instance: 'instance-1',
  run: 'run-1',
  cluster: 'cluster-1',
  membership: membershipAt(7),
  levels: { known: 3, allowed: 2 },
};
const SELF: PeerIdentity = {
  node: nodeId(2),
  instance: 'instance-2',
  run: 'run-2',
  cluster: 'cluster-1',
  membership: membershipAt(7),
  levels: { known: 3, allowed: 3 },
};
const TOKEN = 'a-token';

const LINK = {
  type: 'link',
  node: SELF.node,
  record: { addr: 'x:1', instance: SELF.instance },
  membership: membershipAt(7),
} as const;

/** As node:http hands them over: names in lower case. */
function received(headers: Readonly<Record<string, string>>): IncomingHttpHeaders {
  return Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]));
}

function request(changes: IncomingHttpHeaders = {}): IncomingHttpHeaders {
  return { ...received(dialHeaders(DIALLER, LINK)), ...changes };
}

function judge(headers: IncomingHttpHeaders, gate: TokenGate | null = null): UpgradeVerdict {
  return judgeUpgrade({ headers, gate, self: SELF, admit: () => ({ type: 'admitted' }) });
}

test('who expects this node is accepted under its own name', () => {
  expect(judge(request())).toMatchObject({ type: 'accepted', peer: DIALLER, protocol: 2 });
});

test('a dialler that has joined nothing names no cluster', () => {
  expect(dialHeaders({ ...DIALLER, cluster: null }, { type: 'identify' })).not.toHaveProperty(
    'x-metad-cluster',
  );
  const headers = request();
  delete headers['x-metad-cluster'];
  expect(judge(headers)).toMatchObject({
    type: 'accepted',
    peer: { ...DIALLER, cluster: null },
    protocol: 2,
  });
});

describe('a request is refused with what to do about it', () => {
  test.each<readonly [number, IncomingHttpHeaders, RegExp]>([
    [
      426,
      { upgrade: 'metad-peer/999' },
      /speaks metad-peer\/2, the one that dials metad-peer\/999: .*upgrade the older/,
    ],
    [426, { upgrade: 'websocket' }, /speaks metad-peer\/2, the one that dials websocket:/],
    [426, { upgrade: undefined }, /the one that dials nothing:/],
    [400, { 'x-metad-node': undefined }, /x-metad-node/],
    [400, { 'x-metad-node': '0' }, /x-metad-node/],
    [400, { 'x-metad-node': '1e3' }, /x-metad-node/],
    [400, { 'x-metad-instance': 'two words' }, /x-metad-instance/],
    [400, { 'x-metad-cluster': '' }, /x-metad-node/],
    [400, { 'x-metad-run': undefined }, /x-metad-run/],
    [409, { 'x-metad-to': undefined }, /x-metad-to/],
    [409, { 'x-metad-to': '3' }, /this is node 2, not node 3: correct the address of node 3/],
    [409, { 'x-metad-to-instance': 'other' }, /remove node 2 .*\/change-membership.*\/add-learner \[2,/],
    [409, { 'x-metad-to-instance': 'other', 'x-metad-to-membership': undefined }, /remove node 2/],
    [409, { 'x-metad-to-instance': 'other', 'x-metad-to-membership': 'x' }, /remove node 2/],
    [409, { 'x-metad-node': '2' }, /two processes have the id 2/],
    [409, { 'x-metad-node': '2', 'x-metad-instance': 'instance-2' }, /two processes have the id 2/],
    [409, { 'x-metad-node': '2', 'x-metad-run': 'run-2' }, /reached itself/],
  ])('%i %j', (status, changes, reason) => {
    expect(judge(request(changes))).toMatchObject({
      type: 'refused',
      status,
      reason: expect.stringMatching(reason),
    });
  });

  test('as the owner of the port says, in one line', () => {
    const verdict = judgeUpgrade({
      headers: request(),
      gate: null,
      self: SELF,
      admit: () => ({ type: 'refused', reason: 'another\r\ncluster', without: null }),
    });
    expect(verdict).toEqual({ type: 'refused', status: 409, reason: 'another cluster', node: DIALLER.node });
  });

  test('with the membership that does not have the dialler, signed like all that an answer says', () => {
    const gate = new TokenGate(TOKEN);
    const signed = new SignedRequest(TOKEN, gate.challenge(), dialHeaders(DIALLER, LINK));
    const without = membershipAt(8);
    const verdict = judgeUpgrade({
      headers: received(signed.headers),
      gate,
      self: SELF,
      admit: () => ({ type: 'refused', reason: 'removed', without }),
    });
    if (verdict.type !== 'refused') throw new Error(`not refused: ${verdict.type}`);
    const headers = received(verdict.headers ?? {});
    expect(readWithout(headers)).toEqual(without);
    expect(signed.isAnsweredBy(headers)).toBe(true);
    expect(signed.isAnsweredBy({ ...headers, 'x-metad-without': '9.1.99' })).toBe(false);
  });
});

describe('the token', () => {
  test('comes before everything else: without it nothing is learned about the node', () => {
    const verdict = judgeUpgrade({
      headers: request({ 'x-metad-to': '3' }),
      gate: new TokenGate(TOKEN),
      self: SELF,
      admit: () => expect.unreachable('nobody is admitted without the token'),
    });
    expect(verdict).toMatchObject({
      type: 'refused',
      status: 401,
      reason: expect.stringMatching(/start both nodes with the same cluster_token/),
    });
    expect(JSON.stringify(verdict)).not.toContain(TOKEN);
  });

  test('proved is an accepted or an identified dialler', () => {
    for (const purpose of [LINK, { type: 'identify' }] as const) {
      const gate = new TokenGate(TOKEN);
      const asked = judge(received({ Upgrade: 'metad-peer/2', [CHALLENGE]: ASK }), gate);
      if (asked.type !== 'challenge') throw new Error(asked.type);
      const { headers } = new SignedRequest(TOKEN, asked.challenge, dialHeaders(DIALLER, purpose));
      expect(judge(received(headers), gate).type).toBe(purpose.type === 'link' ? 'accepted' : 'identify');
      expect(judge(received(headers), gate), 'once').toMatchObject({ type: 'refused', status: 401 });
    }
  });

  test('asked of a node without one is a refusal', () => {
    expect(judge(received({ Upgrade: 'metad-peer/2', [CHALLENGE]: ASK }))).toMatchObject({
      type: 'refused',
      status: 401,
      reason: expect.stringMatching(/has no cluster token: start both nodes with the same cluster_token/),
    });
  });
});

describe('a dialler that expects another data directory is believed', () => {
  const since = (membership: LogId): IncomingHttpHeaders => {
    const { term, leader, index } = membership;
    const text = `${term}.${leader}.${index}`;
    return { 'x-metad-to-instance': 'replaced', 'x-metad-to-membership': text };
  };

  test('unless this node knows a later membership to be committed', () => {
    expect(judge(request(since(membershipAt(6)))).type).toBe('accepted');
    expect(judge(request(since(membershipAt(9, 1)))).type).toBe('accepted');
    expect(judge(request(since(membershipAt(7)))).type).toBe('refused');
    expect(judge(request(since(membershipAt(8)))).type).toBe('refused');
  });

  test('by a node that knows no membership', () => {
    const verdict = judgeUpgrade({
      headers: request(since(ZERO_LOG_ID)),
      gate: null,
      self: { ...SELF, membership: ZERO_LOG_ID },
      admit: () => ({ type: 'admitted' }),
    });
    expect(verdict.type).toBe('refused');
  });
});

test('who answers from another data directory is the peer if it knows a later membership', () => {
  const record = { addr: 'x:1', instance: 'replaced' };
  const judged = (membership: LogId) => judgeAnswer(SELF, { node: SELF.node, record, membership });
  expect(judged(membershipAt(6))).toBeNull();
  expect(judged(membershipAt(7))).toMatch(/remove node 2/);
  expect(judged(membershipAt(8))).toMatch(/remove node 2/);
});

test('an identity without a membership knows none', () => {
  const headers = request();
  delete headers['x-metad-membership'];
  expect(readIdentity(headers)).toEqual({ ...DIALLER, membership: ZERO_LOG_ID });
  expect(readIdentity({ ...headers, 'x-metad-membership': '1.1.-1' })?.membership).toEqual(ZERO_LOG_ID);
});

test('an identity that does not say what it knows knows the first feature level', () => {
  const headers = request();
  delete headers['x-metad-known-level'];
  expect(readIdentity(headers)?.levels).toEqual({ known: 1, allowed: 1 });
  for (const level of ['0', '-1', '1e2', '99999']) {
    const identity = readIdentity({ ...request(), 'x-metad-known-level': level });
    expect(identity?.levels, level).toEqual({ known: 1, allowed: 1 });
  }
});

describe('of the protocols that a dialler offers', () => {
  const between = (offered: readonly [number, number], spoken: readonly [number, number]) => {
    const [own, theirs] = [spoken, offered].map(([oldest, newest]) => ({ oldest, newest }));
    const headers = dialHeaders(
      DIALLER,
      { type: 'link', node: SELF.node, record, membership: ZERO_LOG_ID },
      theirs,
    );
    const lower = Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]);
    const admit = () => ({ type: 'admitted' }) as const;
    return judgeUpgrade({
      headers: Object.fromEntries(lower),
      gate: null,
      self: SELF,
      admit,
      protocols: own ?? expect.unreachable(),
    });
  };
  const record = { addr: 'x:1' };

  test.each([
    [[2, 2], [2, 2], 2],
    [[2, 3], [2, 2], 2],
    [[2, 2], [2, 3], 2],
    [[2, 4], [3, 5], 4],
    [[3, 3], [1, 9], 3],
  ] as const)('%j, a node that speaks %j takes %i', (offered, spoken, protocol) => {
    expect(between(offered, spoken)).toMatchObject({ type: 'accepted', protocol });
  });

  test('none fits: both ranges are named', () => {
    const reason = expect.stringContaining(
      'this node speaks metad-peer/5, metad-peer/4, the one that dials metad-peer/3, metad-peer/2: ',
    );
    expect(between([2, 3], [4, 5])).toMatchObject({ type: 'refused', status: 426, reason });
    expect(between([4, 5], [2, 3]).type).toBe('refused');
  });
});

test('the dialler checks who has answered', () => {
  const record = { addr: 'x:1', instance: SELF.instance };
  const expected = { node: SELF.node, record, membership: membershipAt(7) };
  expect(judgeAnswer(SELF, expected)).toBeNull();
  expect(judgeAnswer({ ...SELF, node: nodeId(3) }, expected)).toMatch(/this is node 3, not node 2/);
  expect(judgeAnswer({ ...SELF, instance: 'wiped' }, expected)).toMatch(
    /remove node 2 .*\/change-membership/,
  );
  expect(judgeAnswer({ ...SELF, instance: 'any' }, { ...expected, record: { addr: 'x:1' } })).toBeNull();
});

test('an identity that is not whole is none', () => {
  expect(readIdentity({})).toBeNull();
  expect(readIdentity({ 'x-metad-node': '99999999999999999999', 'x-metad-instance': 'a' })).toBeNull();
});

test('a token that fits no header is refused without being shown', () => {
  for (const token of ['', 'two words', 'new\nline', 'ü', 'x'.repeat(5000)]) {
    expect(() => checkToken(token)).toThrow(RangeError);
    expect(() => checkToken(token)).toThrow('a cluster token must be 1 to 4096 visible ASCII characters');
  }
});

test('what another process says is cut to one printable line', () => {
  expect(printable(' two\r\n\u001b[31mlines\u2028 ')).toBe('two [31mlines');
  expect(printable('x'.repeat(10_000)).length).toBeLessThan(600);
});
