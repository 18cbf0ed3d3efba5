import type { RequestListener } from 'node:http';

/** What a port answers that is open already while the node behind it is not. */
export const answerStarting: RequestListener = (_request, response) => {
  const headers = { 'Content-Type': 'text/plain; charset=utf-8', 'Retry-After': '1' };
  response.writeHead(503, headers).end('this node is starting: try again in a moment\n');
};
