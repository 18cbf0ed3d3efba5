import { monitorEventLoopDelay } from 'node:perf_hooks';
import type { RequestReport } from '@metad/metad-api';
import { Gauge, Registry } from 'prom-client';
import { RequestTally } from './request-tally.ts';

/** The Prometheus metrics of the HTTP thread. Routes are patterns, never paths: their number is bounded. */
export class HttpMetrics {
  readonly #registry = new Registry();
  readonly #requests = new RequestTally();
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

  observe(report: RequestReport): void {
    this.#requests.add(report);
  }

  async text(waiters: number): Promise<string> {
    this.#waiters.set(waiters);
    this.#lag.set(this.#delay.percentile(99) / 1e9);
    this.#delay.reset();
    return `${this.#requests.text()}${await this.#registry.metrics()}`;
  }
}
