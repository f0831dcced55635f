/** A TCP relay between a client and a broker: cutting it is how a test loses a connection without a DISCONNECT. */

import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';

export class Relay {
  readonly #target: number;
  readonly #sockets = new Set<Socket>();
  #server: Server | undefined;
  #refusing = false;
  #port = 0;

  constructor(targetPort: number) {
    this.#target = targetPort;
  }

  get url(): string {
    return `mqtt://127.0.0.1:${this.#port}`;
  }

  async start(): Promise<void> {
    const server = createServer((client) => {
      if (this.#refusing) {
        client.destroy();
        return;
      }
      const broker = connect(this.#target, '127.0.0.1');
      for (const [socket, other] of [
        [client, broker],
        [broker, client],
      ] as const) {
        this.#sockets.add(socket);
        socket.setNoDelay(true);
        socket.on('error', () => other.destroy());
        socket.on('close', () => {
          this.#sockets.delete(socket);
          other.destroy();
        });
      }
      client.pipe(broker);
      broker.pipe(client);
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    this.#server = server;
    this.#port = (server.address() as AddressInfo).port;
  }

  /** Drops every connection; new ones work unless `refuse`. */
  cut({ refuse = false } = {}): void {
    this.#refusing = refuse;
    for (const socket of this.#sockets) socket.destroy();
  }

  /** Lets connections through again. */
  mend(): void {
    this.#refusing = false;
  }

  async stop(): Promise<void> {
    this.cut();
    await new Promise((resolve) => this.#server?.close(resolve));
  }
}
