// What stands between the database client and a server in tests: TLS in front of a server without, and a line that breaks.
import { createConnection, createServer, type Server, type Socket } from 'node:net';
import { TLSSocket } from 'node:tls';
import type { Certificate } from './certificates.ts';

/** The TLS that the embedded PostgreSQL has not, in front of it: PostgreSQL manual 54.2.10, SSLRequest. */
export async function tlsRelay(port: number, { cert, key }: Certificate) {
  const open = new Set<Socket>();
  const relay = createServer((inside) => {
    open.add(inside);
    inside.on('error', () => undefined);
    inside.once('data', () => {
      inside.write('S');
      const secure = new TLSSocket(inside, { isServer: true, cert, key });
      const outside = createConnection(port, '127.0.0.1');
      secure.on('error', () => outside.destroy());
      outside.on('error', () => secure.destroy());
      secure.pipe(outside).pipe(secure);
    });
  });
  return listening(relay, open);
}

async function listening(relay: Server, open: ReadonlySet<Socket>) {
  await new Promise<void>((resolve) => relay.listen(0, '127.0.0.1', resolve));
  return {
    port: (relay.address() as { port: number }).port,
    close: () => {
      for (const socket of open) socket.destroy();
      return new Promise<void>((resolve) => relay.close(() => resolve()));
    },
  };
}

/** Hands bytes on both ways; armed, it cuts the `nth` transaction when the client sends `word`, after handing it on. */
export async function cuttingRelay(port: number, word: string) {
  let armed = 0;
  const open = new Set<Socket>();
  const relay: Server = createServer((inside) => {
    open.add(inside);
    const outside = createConnection(port, '127.0.0.1');
    outside.on('error', () => inside.destroy()).on('data', (bytes) => inside.write(bytes));
    inside.on('error', () => outside.destroy());
    inside.on('close', () => outside.destroy());
    inside.on('data', (bytes) => {
      outside.write(bytes);
      if (/BEGIN|START TRANSACTION/.test(bytes.toString('latin1'))) armed -= 1;
      if (armed === 0 && bytes.includes(word)) {
        outside.removeAllListeners('data');
        inside.destroy();
      }
    });
  });
  return {
    ...(await listening(relay, open)),
    arm: (nth: number) => {
      armed = nth;
    },
  };
}
