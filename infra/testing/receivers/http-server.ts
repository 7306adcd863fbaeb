// The node:http server under the receivers: starts on a free port of 127.0.0.1 and closes with its connections.
import { once } from 'node:events';
import { createServer, type IncomingMessage, type RequestListener } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';

export interface ListeningServer {
  readonly port: number;
  /** Without a trailing slash. */
  readonly url: string;
  close(): Promise<void>;
}

export async function listen(
  handle: RequestListener,
  options: { port?: number; tls?: { cert: string; key: string } } = {},
): Promise<ListeningServer> {
  const server = options.tls === undefined ? createServer(handle) : createTlsServer(options.tls, handle);
  // The receivers script slowness themselves.
  server.requestTimeout = 0;
  server.listen(options.port ?? 0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    port,
    url: `${options.tls === undefined ? 'http' : 'https'}://127.0.0.1:${port}`,
    async close() {
      const closed = once(server, 'close');
      server.close();
      server.closeAllConnections();
      await closed;
    },
  };
}

/** The whole body, or null when it is longer than `limit` bytes (the rest is read and dropped). Rejects when the peer breaks off. */
export async function readBody(request: IncomingMessage, limit: number): Promise<Buffer | null> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes <= limit) chunks.push(chunk);
  }
  return bytes > limit ? null : Buffer.concat(chunks);
}

/** Resolves once `holds` is true, checked after every `changed`; rejects after `timeoutMs` with what `describe` says. */
export function createWaiter(): {
  changed(): void;
  until(holds: () => boolean, timeoutMs: number, describe: () => string): Promise<void>;
} {
  const waiting = new Set<() => void>();
  return {
    changed() {
      for (const check of [...waiting]) check();
    },
    until: (holds, timeoutMs, describe) =>
      new Promise((resolve, reject) => {
        if (holds()) {
          resolve();
          return;
        }
        const timer = setTimeout(() => {
          waiting.delete(check);
          reject(new Error(`${describe()} after ${timeoutMs} ms`));
        }, timeoutMs);
        const check = (): void => {
          if (!holds()) return;
          clearTimeout(timer);
          waiting.delete(check);
          resolve();
        };
        waiting.add(check);
      }),
  };
}
