import type { RequestListener, Server } from 'node:http';
import { type MessagePort, workerData } from 'node:worker_threads';
import { StateDatabase, StoreError } from '@metad/kv-store';
import { createMetadApps, type MetadApps } from '@metad/metad-api';
import { metadSettings } from '../config/metad-settings.ts';
import { entryBytesLimit } from '../config/wire-limits.ts';
import { boundPort, closeServer, listen } from '../http-listener.ts';
import { createLogger } from '../logger.ts';
import { reasonOf } from '../reason.ts';
import { answerStarting } from '../starting.ts';
import { AppliedVersion } from './applied-version.ts';
import { Attention } from './attention.ts';
import { HttpMetrics } from './metrics.ts';
import type { HttpThreadData, Serve, ToConsensus, ToHttp } from './port.ts';
import { PortReplica } from './port-replica.ts';

/** How long open requests may take to end when the node stops. */
const STOP_GRACE_MS = 5_000;

/** What the thread is started with. */
interface Start extends HttpThreadData {
  readonly port: MessagePort;
}

/** The HTTP thread: the metadata and the manage port, in front of a read-only connection to this node's state. */
async function run(start: Start): Promise<void> {
  const { config, port } = start;
  const servers: Server[] = [];
  let site: Site | null = null;
  port.on('message', (message: Serve | ToHttp) => {
    if (message.type === 'serve') site = openSite(start, message, servers);
    else if (site !== null) site.receive(message);
    else if (message.type === 'stop') void closeAll(servers, port);
  });
  const door = (name: 'metadataListener' | 'manageListener'): RequestListener => {
    return (request, response) => (site?.apps[name] ?? answerStarting)(request, response);
  };
  const post = (message: ToConsensus) => port.postMessage(message);
  try {
    const { listen: metadata, listenManage: manage, limits } = config;
    const open = async (options: Parameters<typeof listen>[0]) => {
      const server = await listen(options);
      servers.push(server);
      return boundPort(server);
    };
    const ports = {
      metadata: await open({
        setting: 'listen',
        address: metadata,
        handler: door('metadataListener'),
        limits,
      }),
      manage: await open({
        setting: 'listen_manage',
        address: manage,
        handler: door('manageListener'),
        limits,
      }),
    };
    post({ type: 'listening', ports });
  } catch (error) {
    post({ type: 'notListening', message: reasonOf(error) });
  }
}

/** What answers on the ports. */
interface Site {
  readonly apps: MetadApps;
  readonly receive: (message: ToHttp) => void;
}

function openSite({ config, port, ...shared }: Start, serve: Serve, servers: readonly Server[]): Site {
  const logger = createLogger(config).child({ thread: 'http' });
  const post = (message: ToConsensus) => port.postMessage(message);
  const state = StateDatabase.open(serve.stateFile);
  const replica = new PortReplica({
    port,
    state,
    status: serve.status,
    appliedVersion: new AppliedVersion(shared.appliedVersion),
    maxEntryBytes: entryBytesLimit(config),
    onStop: () => {
      attention.stop();
      apps.stop();
      void closeAll(servers, port).then(() => state.close());
    },
  });
  const metrics = new HttpMetrics();
  const apps = createMetadApps({
    replica,
    settings: metadSettings(config),
    metrics: async () => ({
      contentType: metrics.contentType,
      body: `${await replica.consensusMetrics()}${await metrics.text(apps.waiters())}`,
    }),
    onRequest: (request) => {
      metrics.observe(request);
      logger.debug(request, 'request');
    },
    onError: (err, requestId) => {
      if (err instanceof StoreError) post({ type: 'fault', message: err.message });
      else logger.error({ err, requestId }, 'a request failed');
    },
  });
  const attention = new Attention({
    waiting: () => apps.waiters(),
    onChange: (isPaid) => replica.setWatched(isPaid),
  });
  for (const server of servers) attention.follow(server);
  post({ type: 'serving' });
  return {
    apps,
    receive: (message) => {
      replica.receive(message);
      // Nobody may be shown its state any more, nor is told of changes: those who wait must go elsewhere.
      if (replica.status().quarantine) apps.stop();
    },
  };
}

/** Answers what is open; then the thread ends, as nothing is left of it. */
async function closeAll(servers: readonly Server[], port: MessagePort): Promise<void> {
  await Promise.all(servers.map((server) => closeServer(server, STOP_GRACE_MS)));
  port.close();
}

await run(workerData);
