import {
  createServer,
  type IncomingMessage,
  type RequestListener,
  type Server,
  type ServerResponse,
} from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { inviteOnRead } from '@metad/metad-api';
import { formatAddress, type ListenAddress } from './config/address.ts';
import type { NodeLimits } from './config/node-config.ts';
import { declineUpgrade } from './decline-upgrade.ts';
import { inOrder } from './in-order.ts';

/** Above the idle time-outs of common load balancers, which otherwise reuse a connection that is being closed. */
const KEEP_ALIVE_TIMEOUT_MS = 75_000;
/** The part of a client's time that may pass before a server notices that it is over. */
const CLIENT_CHECK_SHARE = 0.1;
/** How often a server that closes looks for connections whose last request has ended. */
const IDLE_CHECK_MS = 50;

/** An address can't be listened on; the message names the setting that chose it. */
export class ListenError extends Error {
  override readonly name = 'ListenError';
}

/** Opens one HTTP port. Rejects with a ListenError when the address can't be used. */
export function listen(options: {
  readonly setting: 'listen' | 'listen_manage' | 'listen_cluster';
  readonly address: ListenAddress;
  readonly handler: RequestListener;
  /** Takes the connection of a request that offers an upgrade, or says that it is answered as if it offered none. */
  readonly onUpgrade?: (request: IncomingMessage, socket: Socket, head: Buffer) => 'taken' | 'declined';
  /** The time for the headers is at most that for the request. */
  readonly limits: Pick<NodeLimits, 'headerTimeoutMs' | 'requestTimeoutMs'>;
}): Promise<Server> {
  const timeouts = {
    headersTimeout: options.limits.headerTimeoutMs,
    requestTimeout: options.limits.requestTimeoutMs,
    // By itself Node looks twice a minute, whatever the timeouts are.
    connectionsCheckingInterval: Math.ceil(options.limits.headerTimeoutMs * CLIENT_CHECK_SHARE),
    keepAliveTimeout: KEEP_ALIVE_TIMEOUT_MS,
  };
  const server = createServer({ ...timeouts, noDelay: true }, inOrder(options.handler));
  inviteOnRead(server);
  const silent = trackSilentSockets(server);
  const { onUpgrade } = options;
  if (onUpgrade !== undefined) {
    server.on('upgrade', (request, socket: Socket, head) => {
      silent.delete(socket);
      if (onUpgrade(request, socket, head) === 'declined') declineUpgrade(server, request, socket, head);
    });
  }
  const { host, port } = options.address;
  return new Promise((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      const where = `${formatAddress(options.address)} (--${options.setting})`;
      reject(new ListenError(explainListenError(where, error)));
    });
    server.listen({ port, ...(host === null ? {} : { host }) }, () => {
      server.removeAllListeners('error');
      resolve(server);
    });
  });
}

/** The port on which a server listens: the system has chosen it where the setting says 0. */
export function boundPort(server: Server): number {
  const address: string | AddressInfo | null = server.address();
  if (address === null || typeof address === 'string')
    throw new Error('a server that listens has an address');
  return address.port;
}

function explainListenError(where: string, error: NodeJS.ErrnoException): string {
  switch (error.code) {
    case 'EADDRINUSE':
      return `cannot listen on ${where}: the port is already in use`;
    case 'EACCES':
      return `cannot listen on ${where}: this user may not open that port`;
    case 'EADDRNOTAVAIL':
      return `cannot listen on ${where}: this machine has no such address`;
    default:
      return `cannot listen on ${where}: ${error.message}`;
  }
}

/** Connections that have not sent a request yet: Node does not count them as idle. */
const silentSockets = new WeakMap<Server, Set<Socket>>();

function trackSilentSockets(server: Server): Set<Socket> {
  const silent = new Set<Socket>();
  silentSockets.set(server, silent);
  server.on('request', ({ socket }: IncomingMessage) => silent.delete(socket));
  server.on('connection', (socket: Socket) => {
    silent.add(socket);
    socket.once('close', () => silent.delete(socket));
  });
  return silent;
}

/**
 * Stops accepting, lets open requests end for at most `graceMs`, then closes what is left. A client that keeps its
 * connection busy is answered once more, and told to go.
 */
export function closeServer(server: Server, graceMs: number): Promise<void> {
  server.prependListener('request', (_request, response: ServerResponse) => {
    response.shouldKeepAlive = false;
  });
  return new Promise((resolve) => {
    const idle = setInterval(() => server.closeIdleConnections(), IDLE_CHECK_MS);
    const grace = setTimeout(() => server.closeAllConnections(), graceMs);
    server.close(() => {
      clearInterval(idle);
      clearTimeout(grace);
      resolve();
    });
    for (const socket of silentSockets.get(server) ?? []) socket.destroy();
  });
}
