import type { IncomingHttpHeaders } from 'node:http';
import { FIRST_FEATURE_LEVEL } from '@metad/kv-store';
import {
  type LogId,
  logIndex,
  type NodeId,
  type NodeRecord,
  nodeId,
  term,
  ZERO_LOG_ID,
} from '@metad/raft-core';
import { isMeant } from './instance-rule.ts';
import { SPOKEN_PROTOCOLS } from './protocol.ts';
import { chooseProtocol, type ProtocolRange, protocolOffer } from './protocol-range.ts';
import { moveAdvice, replaceAdvice } from './repair-advice.ts';
import { ASK, CHALLENGE, type SignAnswer, type TokenGate } from './token-proof.ts';
import type { Admission, PeerIdentity, SupportedLevels } from './transport.ts';

// How a peer connection opens: an HTTP/1.1 Upgrade on the cluster port. The dialler says which protocols it speaks, who
// it is and whom it expects; the answer says which of the protocols it is, and who answers. Both prove the cluster's
// token (token-proof.ts), and judge the other before any frame is read.

/** Whom a dialler wants to reach; `identify` wants to know who is there, and no connection. */
export type DialPurpose = ({ readonly type: 'link' } & ExpectedPeer) | { readonly type: 'identify' };

export interface ExpectedPeer {
  readonly node: NodeId;
  readonly record: NodeRecord;
  /** The one in effect, which the record is from. */
  readonly membership: LogId;
}

export type UpgradeVerdict =
  /** `protocol` is the newest that both speak. */
  | {
      readonly type: 'accepted';
      readonly peer: PeerIdentity;
      readonly protocol: number;
      readonly sign: SignAnswer;
    }
  | { readonly type: 'identify'; readonly sign: SignAnswer }
  | { readonly type: 'challenge'; readonly challenge: string }
  | Refusal;

/** `reason` says what is wrong and what to do about it, in one line. */
export interface Refusal {
  readonly type: 'refused';
  readonly status: 400 | 401 | 409 | 426 | 503;
  readonly reason: string;
  readonly node: NodeId | null;
  /** What the answer says besides, signed. */
  readonly headers?: Readonly<Record<string, string>>;
}

/** Throws a RangeError unless the token can travel in a header; never says what the token is. */
export function checkToken(token: string | null): void {
  if (token !== null && !/^[\x21-\x7e]{1,4096}$/.test(token)) {
    throw new RangeError('a cluster token must be 1 to 4096 visible ASCII characters');
  }
}

export function dialHeaders(
  self: PeerIdentity,
  purpose: DialPurpose,
  protocols: ProtocolRange = SPOKEN_PROTOCOLS,
): Record<string, string> {
  const headers: Record<string, string> = {
    Connection: 'Upgrade',
    Upgrade: protocolOffer(protocols),
    ...identityHeaders(self),
  };
  if (purpose.type === 'identify') return { ...headers, [IDENTIFY]: '1' };
  headers[TO_NODE] = String(purpose.node);
  if (purpose.record.instance === undefined) return headers;
  return {
    ...headers,
    [TO_INSTANCE]: purpose.record.instance,
    [TO_MEMBERSHIP]: logIdText(purpose.membership),
  };
}

export function identityHeaders(identity: PeerIdentity): Record<string, string> {
  const { node, instance, run, cluster, membership, levels } = identity;
  const headers: Record<string, string> = {
    [NODE]: String(node),
    [INSTANCE]: instance,
    [RUN]: run,
    [MEMBERSHIP]: logIdText(membership),
    [KNOWN_LEVEL]: String(levels.known),
    [ALLOWED_LEVEL]: String(levels.allowed),
  };
  if (cluster !== null) headers[CLUSTER] = cluster;
  return headers;
}

/** null unless the headers name a node, its instance and its run. */
export function readIdentity(headers: IncomingHttpHeaders): PeerIdentity | null {
  const node = readNode(headers[NODE]);
  const instance = headers[INSTANCE];
  const run = headers[RUN];
  const cluster = headers[CLUSTER] ?? null;
  if (node === null || !isName(instance) || !isName(run) || (cluster !== null && !isName(cluster)))
    return null;
  const membership = readLogIdText(headers[MEMBERSHIP]) ?? ZERO_LOG_ID;
  return { node, instance, run, cluster, membership, levels: readLevels(headers) };
}

/** The accepting end's judgement; `admit` is asked last, about a peer that has proved the token. */
export function judgeUpgrade(options: {
  readonly headers: IncomingHttpHeaders;
  /** null: the network is trusted. */
  readonly gate: TokenGate | null;
  readonly self: PeerIdentity;
  readonly admit: (peer: PeerIdentity) => Admission;
  readonly protocols?: ProtocolRange;
}): UpgradeVerdict {
  const { headers, gate, self, protocols = SPOKEN_PROTOCOLS } = options;
  const protocol = chooseProtocol(headers.upgrade, protocols);
  if (protocol === null) return refuse(426, noCommonProtocol(headers.upgrade, protocols));
  if (headers[CHALLENGE] === ASK) {
    if (gate !== null) return { type: 'challenge', challenge: gate.challenge() };
    return refuse(401, `this node has no cluster token: ${TOKEN_ADVICE}`);
  }
  const sign = gate === null ? unsigned : gate.open(headers);
  if (sign === null) return refuse(401, `the cluster token is missing or wrong: ${TOKEN_ADVICE}`);
  if (headers[IDENTIFY] !== undefined) return { type: 'identify', sign };
  const peer = readIdentity(headers);
  if (!peer) return refuse(400, `a peer names itself in the headers ${NODE}, ${INSTANCE} and ${RUN}`);
  const mismatch = judgeExpectation(headers, self) ?? judgeSelf(peer, self);
  if (mismatch !== null) return refuse(409, mismatch, peer.node);
  const admission = options.admit(peer);
  if (admission.type === 'refused') {
    const refusal = refuse(409, printable(admission.reason), peer.node);
    const { without } = admission;
    return without === null ? refusal : { ...refusal, headers: sign({ [WITHOUT]: logIdText(without) }) };
  }
  return { type: 'accepted', peer, protocol, sign };
}

/** The dialling end's judgement of who has answered: a refusal's reason, or null. */
export function judgeAnswer(peer: PeerIdentity, expected: ExpectedPeer): string | null {
  const { node, record, membership } = expected;
  if (peer.node !== node) return wrongNode(peer.node, node);
  return isMeant(peer, { instance: record.instance, membership }) ? null : wrongInstance(node);
}

/** The committed membership by which an answer refuses a dialler that is not in it; null: it has other reasons. */
export function readWithout(headers: IncomingHttpHeaders): LogId | null {
  return readLogIdText(headers[WITHOUT]);
}

/** The head of an HTTP answer, ready to be written. */
export function answerHead(status: string, headers: Record<string, string>): string {
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  return `HTTP/1.1 ${status}\r\n${lines.join('')}\r\n`;
}

/** What another process says, cut to one short line that is safe in a log. */
export function printable(text: string): string {
  const line = text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\s]+/gu, ' ').trim();
  return line.length > MAX_REASON_CHARS ? `${line.slice(0, MAX_REASON_CHARS)}…` : line;
}

const NODE = 'x-metad-node';
const INSTANCE = 'x-metad-instance';
const RUN = 'x-metad-run';
const CLUSTER = 'x-metad-cluster';
const MEMBERSHIP = 'x-metad-membership';
const KNOWN_LEVEL = 'x-metad-known-level';
const ALLOWED_LEVEL = 'x-metad-allowed-level';
const TO_NODE = 'x-metad-to';
const TO_INSTANCE = 'x-metad-to-instance';
const TO_MEMBERSHIP = 'x-metad-to-membership';
const IDENTIFY = 'x-metad-identify';
const WITHOUT = 'x-metad-without';
export const TOKEN_ADVICE = 'start both nodes with the same cluster_token';
const unsigned: SignAnswer = (headers) => headers;
const MAX_REASON_CHARS = 500;

function noCommonProtocol(offer: string | undefined, protocols: ProtocolRange): string {
  const offered = printable(offer ?? '') || 'nothing';
  return (
    `this node speaks ${protocolOffer(protocols)}, the one that dials ${offered}: their releases are too far apart; ` +
    'upgrade the older one, if need be by way of a release between them'
  );
}

function judgeExpectation(headers: IncomingHttpHeaders, self: PeerIdentity): string | null {
  const expected = readNode(headers[TO_NODE]);
  if (expected === null) return `a peer names the node that it expects in the header ${TO_NODE}`;
  if (expected !== self.node) return wrongNode(self.node, expected);
  const instance = headers[TO_INSTANCE];
  if (instance === undefined || instance === self.instance) return null;
  const membership = readLogIdText(headers[TO_MEMBERSHIP]);
  if (typeof instance !== 'string' || membership === null) return wrongInstance(self.node);
  return isMeant(self, { instance, membership }) ? null : wrongInstance(self.node);
}

function judgeSelf(peer: PeerIdentity, self: PeerIdentity): string | null {
  if (peer.node !== self.node) return null;
  return peer.run === self.run
    ? `node ${self.node} has reached itself: ${addressAdvice}`
    : `two processes have the id ${self.node}: start one of them with another id and an empty data directory`;
}

const addressAdvice =
  'the address of another node leads here; correct it with POST /add-learner [ID, "HOST:PORT"]';

function wrongNode(found: NodeId, expected: NodeId): string {
  return `this is node ${found}, not node ${expected}: ${moveAdvice(expected)}`;
}

function wrongInstance(node: NodeId): string {
  return `node ${node} runs on another data directory than its membership record says: ${replaceAdvice(node)}`;
}

function refuse(status: Refusal['status'], reason: string, node: NodeId | null = null): Refusal {
  return { type: 'refused', status, reason, node };
}

function readNode(value: string | string[] | undefined): NodeId | null {
  return typeof value === 'string' && /^[1-9]\d{0,14}$/.test(value) ? nodeId(Number(value)) : null;
}

/** Who doesn't say what it knows is of a release that knows no more than the first level. */
function readLevels(headers: IncomingHttpHeaders): SupportedLevels {
  const known = readLevel(headers[KNOWN_LEVEL]) ?? FIRST_FEATURE_LEVEL;
  return { known, allowed: Math.min(known, readLevel(headers[ALLOWED_LEVEL]) ?? FIRST_FEATURE_LEVEL) };
}

function readLevel(value: string | string[] | undefined): number | null {
  return typeof value === 'string' && /^[1-9]\d{0,2}$/.test(value) ? Number(value) : null;
}

function logIdText({ term, leader, index }: LogId): string {
  return `${term}.${leader}.${index}`;
}

function readLogIdText(value: string | string[] | undefined): LogId | null {
  const match = typeof value === 'string' ? /^(\d{1,15})\.(\d{1,15})\.(\d{1,15})$/.exec(value) : null;
  if (!match) return null;
  const leader = Number(match[2]);
  return {
    term: term(Number(match[1])),
    leader: leader === 0 ? ZERO_LOG_ID.leader : nodeId(leader),
    index: logIndex(Number(match[3])),
  };
}

function isName(value: string | string[] | undefined): value is string {
  return typeof value === 'string' && /^[\w.:-]{1,128}$/.test(value);
}
