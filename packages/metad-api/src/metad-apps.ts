import type { RequestListener } from 'node:http';
import type { Hono } from 'hono';
import { ClientProfiles } from './access/client-profiles.ts';
import { createMetadataListener } from './http/node-door.ts';
import { Observer, type RequestReport } from './http/observer.ts';
import { createManageApp } from './manage/manage-app.ts';
import type { MetricsPage } from './manage/routes.ts';
import { Freshness } from './read/freshness.ts';
import { MetadataApi } from './read/metadata-api.ts';
import { createMetadataApp } from './read/metadata-app.ts';
import type { Replica } from './replica.ts';
import type { MetadSettings } from './settings.ts';
import { CatchUp } from './wait/catch-up.ts';
import { ChangeFeed } from './wait/change-feed.ts';
import { type Clock, SYSTEM_CLOCK } from './wait/deadlines.ts';
import { Waiters } from './wait/wait.ts';

export interface MetadApps {
  readonly metadata: Hono;
  /** The metadata app once more, for a `node:http` server of its own: the same answers, sooner. */
  readonly metadataListener: RequestListener;
  readonly manage: Hono;
  /** Requests that are held open now. */
  waiters(): number;
  /** Releases every waiter with 503 and `Retry-After`, and holds no more. Plain reads go on. */
  stop(): void;
}

export interface MetadDependencies {
  readonly replica: Replica;
  readonly settings: MetadSettings;
  /** Makes the ids of requests; they must differ. */
  readonly requestId?: () => string;
  /** Shown at `/metrics` of the manage API. */
  readonly metrics?: MetricsPage;
  /** Told of each request when it has been answered. Must not throw. */
  readonly onRequest?: (report: RequestReport) => void;
  /** Told of bugs and faults that a request ran into, which is answered 500; without it they go to stderr. */
  readonly onError?: (error: unknown, requestId: string) => void;
  readonly clock?: Clock;
}

/**
 * Builds the metadata and the manage API of one node. They listen nowhere: whoever builds them serves them.
 * Throws a RangeError when a setting makes no sense.
 */
export function createMetadApps(dependencies: MetadDependencies): MetadApps {
  const { replica, settings, clock = SYSTEM_CLOCK } = dependencies;
  const observer = new Observer(dependencies);
  const feed = new ChangeFeed(replica, settings);
  const profiles = new ClientProfiles(settings);
  // The first listener: those behind it ask for profiles, which must not be older than what they are told.
  feed.listen((changes) => {
    for (const change of changes) {
      if (change.type === 'reset') profiles.clear();
      else if (change.type !== 'data') for (const host of change.hosts) profiles.forget(host, change.version);
    }
  });
  const catchUp = new CatchUp({
    feed,
    clock,
    catchUpTimeoutMs: settings.catchUpTimeoutMs,
    maxPending: settings.maxWaiters,
  });
  const waiters = new Waiters({ feed, profiles, clock, maxWaiters: settings.maxWaiters });
  const freshness = new Freshness(replica, feed, catchUp);
  const api = new MetadataApi({ feed, profiles, freshness, catchUp, waiters, settings });
  return {
    metadata: createMetadataApp(api, observer),
    metadataListener: createMetadataListener(api, observer),
    manage: createManageApp({
      parts: { replica, feed, freshness, profiles, settings },
      observer,
      metrics: dependencies.metrics,
    }),
    waiters: () => waiters.count + catchUp.count,
    stop() {
      feed.stop();
      waiters.stop();
      catchUp.stop();
    },
  };
}
