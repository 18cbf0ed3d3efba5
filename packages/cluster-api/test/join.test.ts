import { randomBytes } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { nodeId } from '@metad/raft-core';
import { Hono } from 'hono';
import pino from 'pino';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { addJoinRoute, JOIN } from '../src/cluster-http/join-route.ts';
import { JoinLoop } from '../src/join-loop.ts';
import { ASK, CHALLENGE, SignedRequest } from '../src/peers/token-proof.ts';

const TOKEN = randomBytes(24).toString('hex');
const WISH = '[4,"127.0.0.1:21004"]';

/** The route over a cluster that adds whoever may ask; and what was asked for. */
function member(clusterToken: string | null) {
  const wishes: string[] = [];
  const app = new Hono();
  addJoinRoute(app, {
    clusterToken,
    addLearner: async (c, wish) => {
      wishes.push(wish);
      return c.json({ Ok: {} });
    },
    refuse: (c, status, message) => c.json({ err: { message } }, status),
  });
  const post = (headers: Record<string, string>) => app.request('/join', { method: 'POST', headers });
  const challenge = async () => (await post({ [CHALLENGE]: ASK })).headers.get(CHALLENGE) ?? '';
  return { app, wishes, post, challenge };
}

describe('POST /join', () => {
  test('is done once for who signs it, and its answer proves the token as well', async () => {
    const { wishes, post, challenge } = member(TOKEN);
    const signed = new SignedRequest(TOKEN, await challenge(), { [JOIN]: WISH });
    const answer = await post(signed.headers);
    expect(answer.status).toBe(200);
    expect(signed.isAnsweredBy(Object.fromEntries(answer.headers))).toBe(true);
    expect((await post(signed.headers)).status, 'a challenge is good for one request').toBe(401);
    expect(wishes).toEqual([WISH]);
  });

  test('is refused unless all of it is signed with the token', async () => {
    const { wishes, post, challenge } = member(TOKEN);
    const signed = async (token: string) =>
      new SignedRequest(token, await challenge(), { [JOIN]: WISH }).headers;
    const refused = [
      { [JOIN]: WISH },
      { [JOIN]: WISH, Authorization: `Bearer ${TOKEN}` },
      await signed('another'),
      { ...(await signed(TOKEN)), [JOIN]: '[5,"127.0.0.1:21005"]' },
      { ...(await signed(TOKEN)), [CHALLENGE]: await challenge() },
      new SignedRequest(TOKEN, await member(TOKEN).challenge(), { [JOIN]: WISH }).headers,
    ];
    for (const headers of refused) expect((await post(headers)).status).toBe(401);
    expect(wishes).toEqual([]);
  });

  test('needs no signature where there is no token, and does not take one for a token', async () => {
    const { wishes, post } = member(null);
    expect((await post({ [JOIN]: WISH })).status).toBe(200);
    expect((await post({ [CHALLENGE]: ASK })).status).toBe(401);
    expect((await post({ [JOIN]: WISH, Origin: 'http://elsewhere' })).status).toBe(403);
    expect(wishes).toEqual([WISH]);
  });
});

/** Somebody who listens; what he was sent is kept. */
async function listener(answer: (request: IncomingMessage, response: ServerResponse) => void) {
  const requests: IncomingMessage[] = [];
  const server = createServer((request, response) => {
    requests.push(request);
    answer(request, response);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return { requests, address: `127.0.0.1:${(server.address() as AddressInfo).port}` };
}

function headersOf({ headers }: IncomingMessage): [string, string][] {
  return Object.entries(headers).map(([name, value]) => [name, String(value)]);
}

function join(address: string) {
  const lines: string[] = [];
  const logger = pino({ level: 'debug' }, { write: (line: string) => lines.push(line) });
  const loop = new JoinLoop({
    members: [address],
    node: nodeId(4),
    addr: '127.0.0.1:21004',
    token: TOKEN,
    isMember: () => false,
    logger,
  });
  loop.start();
  onTestFinished(() => loop.stop());
  return lines;
}

describe('--join', () => {
  test('is added by a member', async () => {
    const { app, wishes } = member(TOKEN);
    const { address } = await listener((request, response) => {
      void Promise.resolve(app.request('/join', { method: 'POST', headers: headersOf(request) })).then(
        async (answer) =>
          response.writeHead(answer.status, Object.fromEntries(answer.headers)).end(await answer.text()),
      );
    });
    const lines = join(address);
    await vi.waitFor(() => expect(lines.join('')).toContain('added as a learner'));
    expect(wishes).toEqual([WISH]);
  });

  test('shows the token to nobody, and believes nobody who does not know it', async () => {
    const { address, requests } = await listener((request, response) => {
      const isQuestion = request.headers[CHALLENGE] === ASK;
      const headers = isQuestion
        ? { [CHALLENGE]: 'made-up' }
        : { 'x-metad-joined': 'yes', 'x-metad-proof': 'x' };
      response.writeHead(isQuestion ? 401 : 200, headers).end('{"Ok":{}}');
    });
    const lines = join(address);
    await vi.waitFor(() => expect(lines.join('')).toContain('does not prove the cluster token'));
    expect(lines.join('')).not.toContain('added as a learner');
    expect(requests.length).toBeGreaterThanOrEqual(2);
    for (const { rawHeaders, url } of requests) expect([url, ...rawHeaders].join('\n')).not.toContain(TOKEN);
  });
});
