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
  /** Reports a bug or a fault that the request ran into. */
  fail(error: unknown): void;
}

/** Gives each request its id and reports how it went. */
export class Observer {
  readonly #nextId: () => string;
  readonly #onRequest: ((report: RequestReport) => void) | undefined;
  readonly #onError: (error: unknown, requestId: string) => void;

  constructor(options: {
    readonly requestId?: (() => string) | undefined;
    readonly onRequest?: ((report: RequestReport) => void) | undefined;
    readonly onError?: ((error: unknown, requestId: string) => void) | undefined;
  }) {
    this.#nextId = options.requestId ?? createRequestIds();
    this.#onRequest = options.onRequest;
    this.#onError = options.onError ?? ((error, requestId) => console.error(requestId, error));
  }

  begin(app: RequestReport['app'], method: string): Exchange {
    const requestId = this.#nextId();
    const report = this.#onRequest;
    const fail = (error: unknown): void => this.#onError(error, requestId);
    if (report === undefined) return { requestId, end: () => undefined, fail };
    const start = performance.now();
    return {
      requestId,
      end: (route, status) => {
        const seconds = (performance.now() - start) / 1000;
        report({ app, method, route, status, seconds, requestId });
      },
      fail,
    };
  }
}
