import { createRequestIds } from './request-id.ts';

/** What is reported of each request when it has been answered. */
export interface RequestReport {
  readonly app: 'metadata' | 'manage';
  readonly method: string;
  /** Which kind of path it was; one of a few. */
  readonly route: string;
  readonly status: number;
  readonly seconds: number;
  readonly requestId: string;
}

/** One request between its arrival and its answer. */
export interface Exchange {
  readonly requestId: string;
  end(route: string, status: number): void;
}

/** Gives each request its id and reports how it went. */
export class Observer {
  readonly #nextId: () => string;
  readonly #onRequest: ((report: RequestReport) => void) | undefined;

  constructor(options: {
    readonly requestId?: (() => string) | undefined;
    readonly onRequest?: ((report: RequestReport) => void) | undefined;
  }) {
    this.#nextId = options.requestId ?? createRequestIds();
    this.#onRequest = options.onRequest;
  }

  begin(app: RequestReport['app'], method: string): Exchange {
    const requestId = this.#nextId();
    const report = this.#onRequest;
    if (report === undefined) return { requestId, end: () => undefined };
    const start = performance.now();
    return {
      requestId,
      end: (route, status) => {
        const seconds = (performance.now() - start) / 1000;
        report({ app, method, route, status, seconds, requestId });
      },
    };
  }
}
