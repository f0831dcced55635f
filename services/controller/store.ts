/** The model store: sub-models and weights by digest over HTTP, so that a worker needs no shared disk. */

import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import send from 'send';
import type { BlobCache } from '../core/runtime/blobs.ts';
import { TilepipeError } from '../core/runtime/errors.ts';

export interface StoreOptions {
  readonly blobs: BlobCache;
  /** Loopback by default; anything else is open to your network. */
  readonly host?: string | undefined;
  /** 0: any free port. */
  readonly port?: number | undefined;
}

export type StoreCounters = {
  readonly requests: number;
  readonly notFound: number;
  readonly sentBytes: number;
};

/** The only addresses there are: nothing of a request reaches the file system but 64 hexadecimal digits. */
const BLOB = /^\/blobs\/([0-9a-f]{64})$/;

export class ModelStore {
  readonly #options: StoreOptions;
  readonly #count = { requests: 0, notFound: 0, sentBytes: 0 };
  #server: Server | undefined;

  constructor(options: StoreOptions) {
    this.#options = options;
  }

  /** The port listened on; 0 before `start`. */
  get port(): number {
    return (this.#server?.address() as AddressInfo | null | undefined)?.port ?? 0;
  }

  /** Base address for announcements; `host` is the name workers reach this machine by, or `broker`. */
  url(host = this.#options.host ?? '127.0.0.1'): string {
    return `http://${host.includes(':') ? `[${host}]` : host}:${this.port}`;
  }

  counters(): StoreCounters {
    return { ...this.#count };
  }

  /** Rejects with `port-taken`. */
  async start(): Promise<void> {
    const { host = '127.0.0.1', port = 0 } = this.#options;
    const server = createServer((request, response) => this.#serve(request, response));
    await new Promise<void>((resolve, reject) => {
      server.once('error', (error) => {
        const message = `the model store cannot listen on ${host}:${port}: ${error.message}`;
        reject(new TilepipeError('port-taken', message, { cause: error }));
      });
      server.listen(port, host, resolve);
    });
    this.#server = server;
  }

  async stop(): Promise<void> {
    const server = this.#server;
    this.#server = undefined;
    if (server === undefined) return;
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }

  #serve(request: IncomingMessage, response: ServerResponse): void {
    this.#count.requests++;
    if (request.method !== 'GET' && request.method !== 'HEAD') {
      end(response, 405, 'use GET');
      return;
    }
    const digest = BLOB.exec(request.url ?? '')?.[1];
    if (digest === undefined || !this.#options.blobs.has(digest)) {
      this.#count.notFound++;
      end(response, 404, 'no such blob');
      return;
    }
    void this.#options.blobs.touch(digest);
    const { socket } = response;
    const before = socket?.bytesWritten ?? 0;
    response.once('close', () => {
      this.#count.sentBytes += (socket?.bytesWritten ?? before) - before;
    });
    response.setHeader('etag', `"${digest}"`);
    response.setHeader('content-type', 'application/octet-stream');
    send(request, digest, {
      root: this.#options.blobs.folder,
      dotfiles: 'deny',
      index: false,
      lastModified: false,
      // The name is the content: it never changes.
      immutable: true,
      maxAge: '1y',
    })
      .on('error', (error: Error & { status?: number }) => end(response, error.status ?? 500, error.message))
      .on('directory', () => end(response, 404, 'no such blob'))
      .pipe(response);
  }
}

function end(response: ServerResponse, status: number, text: string): void {
  if (response.headersSent) {
    response.destroy();
    return;
  }
  response.writeHead(status, { 'content-type': 'text/plain' });
  response.end(`${text}\n`);
}
