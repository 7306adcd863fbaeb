// A way to a database server that tests can cut and mend: a TCP relay in front of the real server.
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';

export interface BreakableServer {
  /** The database's URL through the relay. */
  readonly url: string;
  /** Drops every connection and refuses new ones, as a stopped server does. */
  cut(): Promise<void>;
  /** Takes connections again, on the same port. */
  mend(): Promise<void>;
}

export async function breakableServer(url: string): Promise<BreakableServer> {
  const { port: serverPort, hostname } = new URL(url);
  const open = new Set<Socket>();
  const server = createServer((socket) => {
    const onward = connect(Number(serverPort), hostname);
    for (const each of [socket, onward]) {
      open.add(each);
      each.on('error', () => undefined).on('close', () => open.delete(each));
    }
    socket.pipe(onward).pipe(socket);
    socket.on('close', () => onward.destroy());
    onward.on('close', () => socket.destroy());
  });
  const listen = (port: number) =>
    new Promise<void>((resolve) => server.listen(port, '127.0.0.1', () => resolve()));
  await listen(0);
  const { port } = server.address() as AddressInfo;
  const target = new URL(url);
  target.host = `127.0.0.1:${port}`;
  return {
    url: target.href,
    async cut() {
      const closed = new Promise((resolve) => server.close(resolve));
      for (const socket of open) socket.destroy();
      await closed;
    },
    mend: () => listen(port),
  };
}
