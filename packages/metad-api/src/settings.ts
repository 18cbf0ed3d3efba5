/**
 * What an operator may set of the two apps. Bounds that nobody has to set, such as how much one answer may show, are
 * constants where they are kept.
 */
export interface MetadSettings {
  /** Whether `X-Forwarded-For` names the client. Off: the connection's address is the client. */
  readonly xff: boolean;
  /**
   * Addresses or prefixes (`10.0.0.0/8`) of proxies. When there are any, only they may name a client, and the client is
   * the right-most address of the header that is none of them.
   */
  readonly trustedProxies: readonly string[];
  readonly maxBodyBytes: number;
  readonly maxValueBytes: number;
  /** Values in one write. */
  readonly maxLeaves: number;
  readonly maxPathDepth: number;
  readonly maxPathBytes: number;
  /** Requests held open at once; one more is answered 503. */
  readonly maxWaiters: number;
  /** Requests of one client that are held open at once; one more is answered 429. 0: no limit. */
  readonly maxWaitersPerAddress: number;
  /** How long a wait lasts when the request does not say. */
  readonly waitTimeoutSeconds: number;
  /** The longest wait; a longer one that is asked for ends here. */
  readonly maxWaitTimeoutSeconds: number;
  /** Over how long the answers to one change are spread when the request does not say. */
  readonly waitJitterSeconds: number;
  /** How long a request that carries a newer version than this node's waits for it. */
  readonly catchUpTimeoutMs: number;
  /** What the manage API asks for as `Authorization: Bearer …`; null asks for nothing. */
  readonly manageToken: string | null;
  /** Rendered answers that are kept for the version that they show. */
  readonly maxAnswerCacheBytes: number;
  /** Clients whose compiled rules and mapping are kept. */
  readonly maxCachedClients: number;
  /** Changes that are remembered for waits that come with an older version. */
  readonly maxWindowChanges: number;
  readonly maxWindowBytes: number;
}

export const DEFAULT_METAD_SETTINGS: MetadSettings = {
  xff: false,
  trustedProxies: [],
  maxBodyBytes: 8 * 1024 * 1024,
  maxValueBytes: 1024 * 1024,
  maxLeaves: 100_000,
  maxPathDepth: 64,
  maxPathBytes: 2048,
  maxWaiters: 20_000,
  maxWaitersPerAddress: 10_000,
  waitTimeoutSeconds: 60,
  maxWaitTimeoutSeconds: 600,
  waitJitterSeconds: 0,
  catchUpTimeoutMs: 5000,
  manageToken: null,
  maxAnswerCacheBytes: 64 * 1024 * 1024,
  maxCachedClients: 32_768,
  maxWindowChanges: 8192,
  maxWindowBytes: 8 * 1024 * 1024,
};
