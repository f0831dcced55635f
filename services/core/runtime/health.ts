/** Health over HTTP, for Kubernetes and for people with curl. */

import { createServer, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { TilepipeError } from './errors.ts';

export interface HealthOptions {
  readonly port: number;
  /** Loopback by default; a container binds 0.0.0.0. */
  readonly host?: string | undefined;
  /** For /readyz: whether frames would be served now, and the parts of that answer. */
  readonly ready: () => { readonly ready: boolean } & Readonly<Record<string, unknown>>;
  /** For /status. */
  readonly status: () => unknown;
}

/**
 * GET /healthz   200 while the event loop turns; never depends on the broker, or its restart would restart all;
 * GET /readyz    200 or 503, with the reasons;
 * GET /status    the service's status document with its counters.
 */
export class HealthServer {
  readonly #options: HealthOptions;
  #server: Server | undefined;

  constructor(options: HealthOptions) {
    this.#options = options;
  }

  /** The port listened on; 0 before `start`. */
  get port(): number {
    return (this.#server?.address() as AddressInfo | null | undefined)?.port ?? 0;
  }

  /** Rejects with `port-taken`. */
  async start(): Promise<void> {
    const { port, host = '127.0.0.1' } = this.#options;
    const server = createServer((request, response) => {
      if (request.method !== 'GET' && request.method !== 'HEAD') answer(response, 405, { error: 'use GET' });
      else this.#route((request.url ?? '/').split('?')[0] as string, response);
    });
    await new Promise<void>((resolve, reject) => {
      server.once('error', (error) =>
        reject(
          new TilepipeError('port-taken', `health cannot listen on ${host}:${port}: ${error.message}`, {
            cause: error,
          }),
        ),
      );
      server.listen(port, host, resolve);
    });
    this.#server = server;
  }

  async stop(): Promise<void> {
    const server = this.#server;
    this.#server = undefined;
    if (!server) return;
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }

  #route(path: string, response: ServerResponse): void {
    switch (path) {
      case '/healthz':
        answer(response, 200, { live: true });
        break;
      case '/readyz': {
        const state = this.#options.ready();
        answer(response, state.ready ? 200 : 503, state);
        break;
      }
      case '/status':
        answer(response, 200, this.#options.status());
        break;
      default:
        answer(response, 404, { error: 'try /healthz, /readyz or /status' });
    }
  }
}

function answer(response: ServerResponse, code: number, body: unknown): void {
  response.writeHead(code, { 'content-type': 'application/json', 'cache-control': 'no-store' });
  response.end(`${JSON.stringify(body)}\n`);
}
