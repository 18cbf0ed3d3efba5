import type { Server } from 'node:http';
import { type MessagePort, workerData } from 'node:worker_threads';
import { getRequestListener } from '@hono/node-server';
import { StateDatabase } from '@metad/kv-store';
import { createMetadApps, type MetadApps, type MetadSettings } from '@metad/metad-api';
import type { NodeConfig } from './config.ts';
import { closeServer, listen } from './http-listener.ts';
import { HttpMetrics } from './http-metrics.ts';
import type { HttpThreadData, ToConsensus, ToHttp } from './http-port.ts';
import { entryBytesLimit } from './limits.ts';
import { createLogger } from './logger.ts';
import { PortReplica } from './port-replica.ts';

/** How long open requests may take to end when the node stops. */
const STOP_GRACE_MS = 5_000;

/** The HTTP thread: the metadata and the manage port, in front of a read-only connection to this node's state. */
async function run(data: HttpThreadData & { readonly port: MessagePort }): Promise<void> {
  const { config, port } = data;
  const logger = createLogger(config).child({ thread: 'http' });
  const state = StateDatabase.open(data.stateFile);
  const replica = new PortReplica({ port, state, status: data.status, maxEntryBytes: entryBytesLimit(config) });
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
  });
  const servers: Server[] = [];
  const post = (message: ToConsensus) => port.postMessage(message);

  port.on('message', (message: ToHttp) => {
    if (message.type === 'stop') void stop(apps, servers, state, port);
    else replica.receive(message);
  });
  try {
    const metadata = { setting: 'listen', address: config.listen, handler: getRequestListener(apps.metadata.fetch) };
    const manage = { setting: 'listen_manage', address: config.listenManage, handler: getRequestListener(apps.manage.fetch) };
    servers.push(await listen(metadata), await listen(manage));
    post({ type: 'listening' });
  } catch (error) {
    post({ type: 'failed', message: error instanceof Error ? error.message : String(error) });
  }
}

async function stop(apps: MetadApps, servers: readonly Server[], state: StateDatabase, port: MessagePort): Promise<void> {
  apps.stop();
  await Promise.all(servers.map((server) => closeServer(server, STOP_GRACE_MS)));
  state.close();
  port.close();
}

function metadSettings(config: NodeConfig): MetadSettings {
  const { xff, trustedProxies, manageToken, limits } = config;
  return { xff, trustedProxies, manageToken, ...limits };
}

await run(workerData);
