import type { RequestReport } from '@metad/metad-api';
import { expect, test } from 'vitest';
import { HttpMetrics } from '../src/http-thread/metrics.ts';
import { RequestTally } from '../src/http-thread/request-tally.ts';

function report(more: Partial<RequestReport> = {}): RequestReport {
  const own = { app: 'manage', method: 'PUT', route: '/v1/data', status: 200, seconds: 0.002 } as const;
  return { ...own, requestId: 'x', ...more };
}

test('requests are counted by app, route, method and status, and timed by app and route', () => {
  const tally = new RequestTally();
  tally.add(report());
  tally.add(report({ seconds: 0.25 }));
  tally.add(report({ status: 412 }));
  tally.add(report({ method: 'GET' }));
  tally.add(report({ app: 'metadata', route: 'self', method: 'GET', seconds: 100 }));
  const lines = tally.text().split('\n');
  const data = 'app="manage",route="/v1/data"';
  expect(lines.filter((line) => line.startsWith('metad_http_requests_total'))).toEqual([
    'metad_http_requests_total{app="metadata",route="self",method="GET",status="200"} 1',
    `metad_http_requests_total{${data},method="PUT",status="200"} 2`,
    `metad_http_requests_total{${data},method="PUT",status="412"} 1`,
    `metad_http_requests_total{${data},method="GET",status="200"} 1`,
  ]);
  for (const line of [
    '# TYPE metad_http_requests_total counter',
    '# TYPE metad_http_request_seconds histogram',
    `metad_http_request_seconds_bucket{${data},le="0.001"} 0`,
    `metad_http_request_seconds_bucket{${data},le="0.0025"} 3`,
    `metad_http_request_seconds_bucket{${data},le="0.25"} 4`,
    `metad_http_request_seconds_bucket{${data},le="+Inf"} 4`,
    `metad_http_request_seconds_count{${data}} 4`,
    'metad_http_request_seconds_bucket{app="metadata",route="self",le="60"} 0',
    'metad_http_request_seconds_count{app="metadata",route="self"} 1',
  ])
    expect(lines).toContain(line);
});

test('all metrics of the thread are in one text, each line of which Prometheus can read', async () => {
  const metrics = new HttpMetrics();
  metrics.observe(report());
  const text = await metrics.text(3);
  expect(text).toMatch(/^metad_waiters 3$/m);
  expect(text.endsWith('\n')).toBe(true);
  const line = /^(?:# (?:HELP|TYPE) \w+ .+|\w+(?:\{\w+="[^"]*"(?:,\w+="[^"]*")*\})? [\d.e+-]+)$/;
  for (const one of text.split('\n').filter((each) => each !== '')) expect(one).toMatch(line);
});
