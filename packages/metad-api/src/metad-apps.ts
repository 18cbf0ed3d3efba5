import type { RequestListener } from 'node:http';
import { ClientProfiles } from './access/client-profiles.ts';
import { createNodeListener } from './http/node-door.ts';
import { Observer, type RequestReport } from './http/observer.ts';
import { createManageHandler, type ManageHandler } from './manage/manage-handler.ts';
import type { MetricsPage } from './manage/routes.ts';
import { Answers } from './read/answers.ts';
import { Freshness } from './read/freshness.ts';
import { MetadataApi } from './read/metadata-api.ts';
import { createMetadataHandler, type MetadataHandler } from './read/metadata-handler.ts';
import { TreeAnswers } from './read/tree-answers.ts';
import type { Replica } from './replica.ts';
import type { MetadSettings } from './settings.ts';
import { EventStreams } from './stream/event-streams.ts';
import { StreamOpener } from './stream/stream-opener.ts';
import { CatchUp } from './wait/catch-up.ts';
import { ChangeFeed } from './wait/change-feed.ts';
import { type Clock, SYSTEM_CLOCK } from './wait/deadlines.ts';
import { HeldRequests } from './wait/held-requests.ts';
import { Waiters } from './wait/wait.ts';

export interface MetadApps {
  /** The metadata API, for whatever carries requests to it. */
  readonly metadata: MetadataHandler;
  /** The metadata API for a `node:http` server. */
  readonly metadataListener: RequestListener;
  /** The manage API, in the same two ways. */
  readonly manage: ManageHandler;
  readonly manageListener: RequestListener;
  /** Requests and streams that are held open now. */
  waiters(): number;
  /** Releases every waiter with 503 and `Retry-After`, ends every stream, and holds no more. Plain reads go on. */
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
  /** For what is spread over time: from 0 up to, but not including, 1. */
  readonly random?: () => number;
}

/** Changes that are applied are delivered in no time; whoever has to know them does not wait for longer. */
const DELIVERY_TIMEOUT_MS = 500;

/**
 * Builds the metadata and the manage API of one node. They listen nowhere: whoever builds them serves them.
 * Throws a RangeError when a setting makes no sense.
 */
export function createMetadApps(dependencies: MetadDependencies): MetadApps {
  const { replica, settings, clock = SYSTEM_CLOCK, random = Math.random } = dependencies;
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
  const { catchUpTimeoutMs } = settings;
  const common = { feed, clock, limits: settings };
  const catchUp = new CatchUp({ ...common, catchUpTimeoutMs, present: () => feed.version });
  const deliveries = new CatchUp({
    ...common,
    catchUpTimeoutMs: DELIVERY_TIMEOUT_MS,
    present: () => feed.deliveredVersion,
  });
  const waiters = new Waiters({ feed, profiles, clock, random });
  const streams = new EventStreams({ feed, waiters, clock, random });
  const freshness = new Freshness({ replica, feed, catchUp, clock });
  const held = new HeldRequests(settings);
  const trees = new TreeAnswers({ state: replica.state, feed, clock });
  const answers = new Answers({ feed, profiles, trees, settings });
  const parts = { feed, answers, freshness, catchUp, deliveries, waiters, held, settings };
  const api = new MetadataApi({ ...parts, streams: new StreamOpener({ ...parts, streams }) });
  const metadata = createMetadataHandler(api, observer);
  const manage = createManageHandler({
    parts: { replica, feed, freshness, catchUp, profiles, answers, trees, settings },
    observer,
    metrics: dependencies.metrics,
  });
  return {
    metadata,
    metadataListener: createNodeListener(metadata),
    manage,
    manageListener: createNodeListener(manage),
    waiters: () => held.count + catchUp.count + deliveries.count,
    stop() {
      feed.stop();
      waiters.stop();
      streams.stop();
      catchUp.stop();
      deliveries.stop();
    },
  };
}
