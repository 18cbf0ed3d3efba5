import type { RequestListener, Server } from 'node:http';
import type { NodeConfig } from './config/node-config.ts';
import { boundPort, closeServer, listen } from './http-listener.ts';
import type { HttpPorts } from './http-thread/port.ts';
import { HttpThread } from './http-thread/thread.ts';
import { offersPeerProtocol } from './peers/protocol-range.ts';
import type { TcpTransport } from './peers/tcp-transport.ts';
import { answerStarting } from './starting.ts';

/** What answers on the cluster port. */
export interface ClusterDoor {
  readonly handle: RequestListener;
  readonly handlePeer: TcpTransport['handleUpgrade'];
}

/** Those that are really open, where the settings let the system choose. */
export interface BoundPorts extends HttpPorts {
  readonly cluster: number;
}

/**
 * The three ports of a node. They are open before anything is written, so that a port that is taken leaves no node
 * behind; until they are given what is to answer, they say that the node is starting.
 */
export class NodePorts {
  readonly http: HttpThread;
  readonly bound: BoundPorts;
  readonly #cluster: Server;
  #door: ClusterDoor | null = null;

  /** Rejects with a ListenError, and nothing left open, when one of them can't be opened. */
  static async open(config: NodeConfig, onFault: (error: unknown) => void): Promise<NodePorts> {
    let ports: NodePorts | null = null;
    const door = () => (ports === null ? null : ports.#door);
    const cluster = await listen({
      setting: 'listen_cluster',
      address: config.listenCluster,
      limits: config.limits,
      handler: (request, response) => (door()?.handle ?? answerStarting)(request, response),
      onUpgrade: (request, socket, head) => {
        const opened = door();
        if (opened === null || !offersPeerProtocol(request.headers.upgrade)) return 'declined';
        opened.handlePeer(request, socket, head);
        return 'taken';
      },
    });
    const http = new HttpThread({ config, onFault });
    try {
      const { metadata, manage } = await http.listening();
      ports = new NodePorts({ cluster, http }, { metadata, manage, cluster: boundPort(cluster) });
      return ports;
    } catch (error) {
      await Promise.all([http.stop(), closeServer(cluster, 0)]);
      throw error;
    }
  }

  private constructor(open: Pick<NodePorts, 'http'> & { readonly cluster: Server }, bound: BoundPorts) {
    this.#cluster = open.cluster;
    this.http = open.http;
    this.bound = bound;
  }

  serveCluster(door: ClusterDoor): void {
    this.#door = door;
  }

  /** Answers what is open, at most for that long on the cluster port, and closes all of them. */
  async close(graceMs: number): Promise<void> {
    await Promise.all([this.http.stop(), closeServer(this.#cluster, graceMs)]);
  }
}
