// Which TCP port on 127.0.0.1 a server gets.
// Surprise: a free port is free only until somebody takes it; starters retry with another one when they chose it themselves.
import { randomInt } from 'node:crypto';
import { createServer } from 'node:net';

// Below the range that Linux (32768 up) and macOS (49152 up) give to outgoing connections: a port from that range is taken by
// any client that connects between our look and the server's bind, and three Kafka brokers connect a lot.
const LOWEST = 15_000;
const HIGHEST = 32_000;

/** A port that was free a moment ago. */
export async function freePort(lowest = LOWEST, highest = HIGHEST): Promise<number> {
  for (let attempt = 0; attempt < 200; attempt += 1) {
    const port = await listenOnce(randomInt(lowest, highest));
    if (port !== undefined) return port;
  }
  throw new Error(`no free TCP port on 127.0.0.1 between ${lowest} and ${highest}`);
}

/** `wanted` when nobody listens on it, else a free one. */
export async function portOrFree(wanted: number): Promise<number> {
  return (await listenOnce(wanted)) ?? (await freePort());
}

// Both the address and the wildcard are tried: a container often publishes on 0.0.0.0 only, which a bind to 127.0.0.1 would not notice
// on every system.
async function listenOnce(port: number): Promise<number | undefined> {
  const first = await bind(port, '127.0.0.1');
  if (first === undefined) return undefined;
  return bind(port, '0.0.0.0');
}

function bind(port: number, host: string): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EADDRINUSE' || error.code === 'EACCES') resolve(undefined);
      else reject(error);
    });
    server.listen({ port, host, exclusive: true }, () => {
      const { port: got } = server.address() as { port: number };
      server.close(() => resolve(got));
    });
  });
}
