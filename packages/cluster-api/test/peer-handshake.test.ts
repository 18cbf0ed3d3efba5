import type { IncomingHttpHeaders } from 'node:http';
import { nodeId } from '@metad/raft-core';
import { describe, expect, test } from 'vitest';
import {
  checkToken,
  dialHeaders,
  judgeAnswer,
  judgeUpgrade,
  printable,
  readIdentity,
  type UpgradeVerdict,
} from '../src/peers/handshake.ts';
import type { PeerIdentity } from '../src/peers/transport.ts';

const DIALLER: PeerIdentity = { node: nodeId(1), instance: 'instance-1', cluster: 'cluster-1' };
const SELF: PeerIdentity = { node: nodeId(2), instance: 'instance-2', cluster: 'cluster-1' };
const TOKEN = 'a-token';

/** As node:http hands them over: names in lower case. */
function request(changes: IncomingHttpHeaders = {}): IncomingHttpHeaders {
  const purpose = {
    type: 'link',
    node: SELF.node,
    record: { addr: 'x:1', instance: SELF.instance },
  } as const;
  const headers = Object.entries(dialHeaders(DIALLER, TOKEN, purpose));
  return { ...Object.fromEntries(headers.map(([name, value]) => [name.toLowerCase(), value])), ...changes };
}

function judge(headers: IncomingHttpHeaders, token: string | null = TOKEN): UpgradeVerdict {
  return judgeUpgrade({ headers, token, self: SELF, admit: () => ({ type: 'admitted' }) });
}

test('who proves the token and expects this node is accepted under its own name', () => {
  expect(judge(request())).toEqual({ type: 'accepted', peer: DIALLER });
});

test('a dialler that has joined nothing names no cluster', () => {
  const purpose = { type: 'identify' } as const;
  expect(dialHeaders({ ...DIALLER, cluster: null }, null, purpose)).not.toHaveProperty('x-metad-cluster');
  const headers = request();
  delete headers['x-metad-cluster'];
  expect(judge(headers)).toEqual({ type: 'accepted', peer: { ...DIALLER, cluster: null } });
});

describe('a request is refused with what to do about it', () => {
  test.each<readonly [number, IncomingHttpHeaders, RegExp]>([
    [401, { authorization: undefined }, /start both nodes with the same cluster_token/],
    [401, { authorization: 'Bearer another' }, /cluster_token/],
    [401, { authorization: 'a-token' }, /cluster_token/],
    [401, { authorization: undefined, 'x-metad-identify': '1' }, /cluster_token/],
    [426, { upgrade: 'metad-peer/999' }, /run the same metad release/],
    [426, { upgrade: 'websocket' }, /metad-peer\/2/],
    [400, { 'x-metad-node': undefined }, /x-metad-node/],
    [400, { 'x-metad-node': '0' }, /x-metad-node/],
    [400, { 'x-metad-node': '1e3' }, /x-metad-node/],
    [400, { 'x-metad-instance': 'two words' }, /x-metad-instance/],
    [400, { 'x-metad-cluster': '' }, /x-metad-node/],
    [409, { 'x-metad-to': undefined }, /x-metad-to/],
    [409, { 'x-metad-to': '3' }, /this is node 2, not node 3: correct the address of node 3/],
    [409, { 'x-metad-to-instance': 'other' }, /remove node 2, then add it again/],
    [409, { 'x-metad-node': '2' }, /two nodes have the id 2/],
    [409, { 'x-metad-node': '2', 'x-metad-instance': 'instance-2' }, /reached itself/],
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
      token: TOKEN,
      self: SELF,
      admit: () => ({ type: 'refused', reason: 'another\r\ncluster' }),
    });
    expect(verdict).toEqual({ type: 'refused', status: 409, reason: 'another cluster', node: DIALLER.node });
  });
});

test('the token comes before everything else: without it nothing is learned about the node', () => {
  const verdict = judgeUpgrade({
    headers: request({ authorization: 'Bearer another', 'x-metad-to': '3' }),
    token: TOKEN,
    self: SELF,
    admit: () => expect.unreachable('nobody is admitted without the token'),
  });
  expect(verdict).toMatchObject({ type: 'refused', status: 401 });
  expect(JSON.stringify(verdict)).not.toContain(TOKEN);
});

test('a node without a token lets in who brings one or none', () => {
  expect(judge(request(), null).type).toBe('accepted');
  expect(judge(request({ authorization: undefined }), null).type).toBe('accepted');
});

test('the dialler checks who has answered', () => {
  const expected = { node: SELF.node, record: { addr: 'x:1', instance: SELF.instance } };
  expect(judgeAnswer(SELF, expected)).toBeNull();
  expect(judgeAnswer({ ...SELF, node: nodeId(3) }, expected)).toMatch(/this is node 3, not node 2/);
  expect(judgeAnswer({ ...SELF, instance: 'wiped' }, expected)).toMatch(/remove node 2, then add it again/);
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
  expect(printable('x'.repeat(10_000)).length).toBeLessThan(400);
});
