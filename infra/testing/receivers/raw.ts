// A TCP (or TLS) receiver that does exactly what a script says, byte by byte: for answers that no HTTP library would send.
// Invariant: `connections` counts every accepted connection, so a test can show that there was none.
import { once } from 'node:events';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { createServer as createTlsServer, type TlsOptions } from 'node:tls';

export interface RawReceiver {
  readonly port: number;
  /** `http://127.0.0.1:<port>` or https. */
  readonly url: string;
  /** TCP connections accepted so far. */
  connections(): number;
  close(): Promise<void>;
}

/** `n` is the connection's number, from 0. Errors of the socket are swallowed: tests break connections on purpose. */
export type RawScript = (socket: Socket, n: number) => void;

export async function startRawReceiver(
  script: RawScript,
  options: { tls?: TlsOptions; host?: string; port?: number } = {},
): Promise<RawReceiver> {
  const sockets = new Set<Socket>();
  let accepted = 0;
  let scripted = 0;
  const run = (socket: Socket): void => {
    socket.on('error', () => {});
    script(socket, scripted++);
  };
  const server: Server = options.tls === undefined ? createServer(run) : createTlsServer(options.tls, run);
  server.on('tlsClientError', () => {});
  server.on('connection', (socket: Socket) => {
    accepted += 1;
    sockets.add(socket);
    socket.on('error', () => {});
    socket.once('close', () => sockets.delete(socket));
  });
  server.listen(options.port ?? 0, options.host ?? '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    port,
    url: `${options.tls === undefined ? 'http' : 'https'}://127.0.0.1:${port}`,
    connections: () => accepted,
    async close() {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}

/** Calls `then` once the whole head of a request (up to the empty line) has arrived, and again for each further request head. */
export function onRequestHead(socket: Socket, then: (head: string) => void): void {
  let seen = '';
  socket.on('data', (chunk) => {
    seen += chunk.toString('latin1');
    for (let end = seen.indexOf('\r\n\r\n'); end >= 0; end = seen.indexOf('\r\n\r\n')) {
      const head = seen.slice(0, end);
      seen = seen.slice(end + 4);
      then(head);
    }
  });
}
