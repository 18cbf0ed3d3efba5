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
export class Exchange {
  readonly requestId: string;
  readonly #observer: Observer;
  readonly #app: RequestReport['app'];
  readonly #method: string;
  readonly #startedAt = performance.now();

  constructor(
    observer: Observer,
    request: { readonly id: string; readonly app: RequestReport['app']; readonly method: string },
  ) {
    this.requestId = request.id;
    this.#observer = observer;
    this.#app = request.app;
    this.#method = request.method;
  }

  end(route: string, status: number): void {
    const seconds = (performance.now() - this.#startedAt) / 1000;
    const [app, method, requestId] = [this.#app, this.#method, this.requestId];
    this.#observer.onRequest?.({ app, method, route, status, seconds, requestId });
  }

  /** Reports a bug or a fault that the request ran into. */
  fail(error: unknown): void {
    this.#observer.onError(error, this.requestId);
  }
}

/** Gives each request its id and reports how it went. */
export class Observer {
  readonly #nextId: () => string;
  readonly onRequest: ((report: RequestReport) => void) | undefined;
  readonly onError: (error: unknown, requestId: string) => void;

  constructor(options: {
    readonly requestId?: (() => string) | undefined;
    readonly onRequest?: ((report: RequestReport) => void) | undefined;
    readonly onError?: ((error: unknown, requestId: string) => void) | undefined;
  }) {
    this.#nextId = options.requestId ?? createRequestIds();
    this.onRequest = options.onRequest;
    this.onError = options.onError ?? ((error, requestId) => console.error(requestId, error));
  }

  begin(app: RequestReport['app'], method: string): Exchange {
    return new Exchange(this, { id: this.#nextId(), app, method });
  }
}
