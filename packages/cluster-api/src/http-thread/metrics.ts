import { monitorEventLoopDelay } from 'node:perf_hooks';
import type { RequestReport } from '@metad/metad-api';
import { Counter, Gauge, Histogram, Registry } from 'prom-client';

/** The Prometheus metrics of the HTTP thread. Routes are patterns, never paths: their number is bounded. */
export class HttpMetrics {
  readonly #registry = new Registry();
  readonly #requests = new Counter({
    name: 'metad_http_requests_total',
    help: 'Requests answered on the metadata and the manage port.',
    labelNames: ['app', 'method', 'route', 'status'],
    registers: [this.#registry],
  });
  readonly #seconds = new Histogram({
    name: 'metad_http_request_seconds',
    help: 'From a request to its answer; long polls count with the time they wait.',
    labelNames: ['app', 'route'],
    buckets: [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5, 60],
    registers: [this.#registry],
  });
  readonly #waiters = new Gauge({
    name: 'metad_waiters',
    help: 'Long polls and streams that are held now.',
    registers: [this.#registry],
  });

  readonly #lag = new Gauge({
    name: 'metad_http_thread_eventloop_lag_seconds',
    help: 'How late the event loop of the HTTP thread was since the last scrape: its 99th percentile.',
    registers: [this.#registry],
  });
  readonly #delay = monitorEventLoopDelay();

  readonly contentType = this.#registry.contentType;

  constructor() {
    this.#delay.enable();
  }

  observe({ app, method, route, status, seconds }: RequestReport): void {
    this.#requests.inc({ app, method, route, status });
    this.#seconds.observe({ app, route }, seconds);
  }

  text(waiters: number): Promise<string> {
    this.#waiters.set(waiters);
    this.#lag.set(this.#delay.percentile(99) / 1e9);
    this.#delay.reset();
    return this.#registry.metrics();
  }
}
