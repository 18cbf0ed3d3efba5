import type { Server } from 'node:http';
import { type MessagePort, workerData } from 'node:worker_threads';
import { StateDatabase, StoreError } from '@metad/kv-store';
import { createMetadApps, inviteOnRead, type MetadApps } from '@metad/metad-api';
import { metadSettings } from '../config/metad-settings.ts';
import { entryBytesLimit } from '../config/wire-limits.ts';
import { closeServer, listen } from '../http-listener.ts';
import { createLogger } from '../logger.ts';
import { reasonOf } from '../reason.ts';
import { AppliedVersion } from './applied-version.ts';
import { Attention } from './attention.ts';
import { HttpMetrics } from './metrics.ts';
import type { HttpThreadData, ToConsensus, ToHttp } from './port.ts';
import { PortReplica } from './port-replica.ts';

/** How long open requests may take to end when the node stops. */
const STOP_GRACE_MS = 5_000;

/** The HTTP thread: the metadata and the manage port, in front of a read-only connection to this node's state. */
async function run(data: HttpThreadData & { readonly port: MessagePort }): Promise<void> {
  const { config, port } = data;
  const logger = createLogger(config).child({ thread: 'http' });
  const post = (message: ToConsensus) => port.postMessage(message);
  const state = StateDatabase.open(data.stateFile);
  const replica = new PortReplica({
    port,
    state,
    status: data.status,
    appliedVersion: new AppliedVersion(data.appliedVersion),
    maxEntryBytes: entryBytesLimit(config),
    onStop: () => {
      attention.stop();
      void stop(apps, servers, state, port);
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
  const servers: Server[] = [];
  const attention = new Attention({
    waiting: () => apps.waiters(),
    onChange: (isPaid) => replica.setWatched(isPaid),
  });
  const open = async (options: Parameters<typeof listen>[0]) => {
    const server = await listen(options);
    // Before it can have accepted anybody.
    attention.follow(server);
    inviteOnRead(server);
    servers.push(server);
  };
  port.on('message', (message: ToHttp) => {
    replica.receive(message);
    // Nobody may be shown its state any more, nor is told of changes: those who wait must go elsewhere.
    if (replica.status().quarantine) apps.stop();
  });
  try {
    const { listen: metadata, listenManage: manage, limits } = config;
    await open({ setting: 'listen', address: metadata, handler: apps.metadataListener, limits });
    await open({ setting: 'listen_manage', address: manage, handler: apps.manageListener, limits });
    post({ type: 'listening' });
  } catch (error) {
    post({ type: 'notListening', message: reasonOf(error) });
  }
}

async function stop(
  apps: MetadApps,
  servers: readonly Server[],
  state: StateDatabase,
  port: MessagePort,
): Promise<void> {
  apps.stop();
  await Promise.all(servers.map((server) => closeServer(server, STOP_GRACE_MS)));
  state.close();
  port.close();
}

await run(workerData);
