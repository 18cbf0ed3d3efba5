import { EventEmitter } from 'node:events';
import { get, type ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { describe, expect, test, vi } from 'vitest';
import { sendPieces } from '../src/http/body.ts';
import { writeMany } from './large-tree.ts';
import { listening } from './listening.ts';
import { settle, TestNode } from './test-node.ts';

const PIECES = ['one', 'two', 'three'].map((text) => Buffer.from(text));

/** The other end takes a piece when it is told to. */
class SlowResponse extends EventEmitter {
  readonly written: string[] = [];
  isEnded = false;
  takes = false;

  write(piece: Buffer): boolean {
    this.written.push(piece.toString());
    return this.takes;
  }

  end(): void {
    this.isEnded = true;
  }
}

describe('the pieces of a body', () => {
  test('are sent as the client takes them', async () => {
    const response = new SlowResponse();
    sendPieces(response as unknown as ServerResponse, PIECES);
    await settle();
    expect(response.written).toEqual(['one']);
    response.emit('drain');
    await settle();
    expect(response.written).toEqual(['one', 'two']);
    response.takes = true;
    response.emit('drain');
    await settle();
    expect(response).toMatchObject({ written: ['one', 'two', 'three'], isEnded: true });
  });

  test('leave a turn to others between two of them', async () => {
    const response = new SlowResponse();
    response.takes = true;
    sendPieces(response as unknown as ServerResponse, PIECES);
    expect(response.written).toEqual(['one']);
    await new Promise((resolve) => setImmediate(resolve));
    expect(response.written).toEqual(['one', 'two']);
  });
});

describe.each(['metadata', 'manage'] as const)('a large answer of the %s API over a connection', (api) => {
  async function serve(): Promise<{ port: number; node: TestNode; sockets: Set<Socket> }> {
    const node = new TestNode();
    // Some 30 MiB: more than sockets hold between them.
    writeMany(node, '/big', 'x'.repeat(5000));
    await node.allow('127.0.0.1', '/');
    const { metadataListener, manageListener } = node.apps;
    const { server, port } = await listening(api === 'metadata' ? metadataListener : manageListener);
    const sockets = new Set<Socket>();
    server.on('connection', (socket) => {
      sockets.add(socket);
      socket.on('close', () => sockets.delete(socket));
    });
    return { port, node, sockets };
  }

  const path = api === 'metadata' ? '/big' : '/v1/data/big';

  test('is whole, and as long as it says', async () => {
    const { port, node } = await serve();
    const expected = await (await node.manage('GET', '/v1/data/big')).text();
    const [length, text] = await new Promise<[string | undefined, string]>((resolve, reject) => {
      get({ host: '127.0.0.1', port, path, agent: false }, (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.on('end', () =>
          resolve([response.headers['content-length'], Buffer.concat(chunks).toString()]),
        );
        response.on('error', reject);
      });
    });
    expect(length).toBe(String(Buffer.byteLength(expected)));
    expect(text === expected).toBe(true);
  });

  test('waits in pieces for a client that does not read, and is let go with it', async () => {
    const { port, sockets } = await serve();
    const outgoing = get({ host: '127.0.0.1', port, path, agent: false }, (response) => response.pause());
    outgoing.on('error', () => undefined);
    await vi.waitFor(() => expect([...sockets][0]?.bytesWritten).toBeGreaterThan(100_000));
    const [socket] = sockets;
    // One piece at most lies in this process for it.
    expect(socket?.writableLength).toBeLessThan(1024 * 1024);
    outgoing.destroy();
    await vi.waitFor(() => expect(sockets.size).toBe(0));
  });
});
