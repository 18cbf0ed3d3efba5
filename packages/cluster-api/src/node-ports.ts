import type { RequestListener, Server } from 'node:http';
import type { NodeConfig } from './config/node-config.ts';
import { closeServer, listen } from './http-listener.ts';
import { HttpThread } from './http-thread/thread.ts';
import { offersPeerProtocol } from './peers/protocol-range.ts';
import type { TcpTransport } from './peers/tcp-transport.ts';
import { answerStarting } from './starting.ts';

/** What answers on the cluster port. */
export interface ClusterDoor {
  readonly handle: RequestListener;
  readonly handlePeer: TcpTransport['handleUpgrade'];
}

/**
 * The three ports of a node. They are open before anything is written, so that a port that is taken leaves no node
 * behind; until they are given what is to answer, they say that the node is starting.
 */
export class NodePorts {
  readonly cluster: Server;
  readonly http: HttpThread;
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
    ports = new NodePorts(cluster, new HttpThread({ config, onFault }));
    try {
      await ports.http.listening();
    } catch (error) {
      await ports.close(0);
      throw error;
    }
    return ports;
  }

  private constructor(cluster: Server, http: HttpThread) {
    this.cluster = cluster;
    this.http = http;
  }

  serveCluster(door: ClusterDoor): void {
    this.#door = door;
  }

  /** Answers what is open, at most for that long on the cluster port, and closes all of them. */
  async close(graceMs: number): Promise<void> {
    await Promise.all([this.http.stop(), closeServer(this.cluster, graceMs)]);
  }
}
