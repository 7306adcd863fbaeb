// The little HTTP server of every service: GET /health and GET /metrics, on the loopback address unless told otherwise.
// Invariant: nothing but names of checks and declared metrics leaves here; there is no other route and no request body is read.
// Surprise: a check that throws counts as failed with its message kept back, since messages may name hosts and users.
import { once } from 'node:events';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface HealthSettings {
  /** 0 takes a free one. */
  readonly port: number;
  /** Default 127.0.0.1. */
  readonly host?: string;
  /** By name: true, or why not in a few words that may be shown to anybody who can reach the port. */
  readonly checks: () => Record<string, true | string> | Promise<Record<string, true | string>>;
  /** Prometheus text format. */
  readonly metrics: () => Promise<string>;
}

export interface HealthServer {
  readonly port: number;
  readonly url: string;
  close(): Promise<void>;
}

/** Rejects when the port is taken. */
export async function startHealthServer(settings: HealthSettings): Promise<HealthServer> {
  const host = settings.host ?? '127.0.0.1';
  const server = createServer((request, response) => {
    const path = request.url?.split('?')[0];
    if (path !== '/health' && path !== '/metrics') {
      write(response, 404, 'application/json', '{"error":"not_found"}');
    } else if (request.method !== 'GET' && request.method !== 'HEAD') {
      response.setHeader('allow', 'GET, HEAD');
      write(response, 405, 'application/json', '{"error":"method_not_allowed"}');
    } else if (path === '/health') {
      void health(settings).then(([status, body]) =>
        write(response, status, 'application/json', JSON.stringify(body)),
      );
    } else {
      settings.metrics().then(
        (text) => write(response, 200, 'text/plain; version=0.0.4; charset=utf-8', text),
        () => write(response, 500, 'application/json', '{"error":"metrics"}'),
      );
    }
  });
  server.requestTimeout = 5_000;
  server.headersTimeout = 5_000;
  server.listen(settings.port, host);
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    port,
    url: `http://${host.includes(':') ? `[${host}]` : host}:${port}`,
    async close() {
      const closed = once(server, 'close');
      server.close();
      server.closeAllConnections();
      await closed;
    },
  };
}

async function health(settings: HealthSettings): Promise<[number, object]> {
  let checks: Record<string, true | string>;
  try {
    checks = await settings.checks();
  } catch {
    return [503, { status: 'failing', failing: { checks: 'could not be run' } }];
  }
  const failing = Object.entries(checks).filter(([, state]) => state !== true);
  return failing.length === 0
    ? [200, { status: 'ok' }]
    : [503, { status: 'failing', failing: Object.fromEntries(failing) }];
}

function write(response: ServerResponse, status: number, type: string, body: string): void {
  response.writeHead(status, { 'content-type': type, 'cache-control': 'no-store' }).end(body);
}
