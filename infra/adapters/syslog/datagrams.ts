// A UDP socket for one host whose address the egress policy has allowed.
import { createSocket } from 'node:dgram';
import { isIP } from 'node:net';
import { type DatagramSocket, SyslogFailure, type SyslogTarget } from '@tocsin/topologies/ports/syslog.ts';
import { type Destination, plainHost } from '../http/egress-policy.ts';
import { EgressDenied, type Lookup, resolveAllowed } from '../http/resolve.ts';

/** Resolves the name once; rejects with SyslogFailure. */
export async function openDatagrams(
  target: SyslogTarget,
  destination: Destination,
  lookup: Lookup,
): Promise<DatagramSocket> {
  const address = await addressOf(plainHost(target.host), destination, lookup);
  const socket = createSocket(isIP(address) === 6 ? 'udp6' : 'udp4');
  // Connected, so that a port that nobody listens on shows as an error of a later datagram.
  let failure: SyslogFailure | null = null;
  socket.on('error', (error: NodeJS.ErrnoException) => {
    failure = new SyslogFailure('reset', error.code ?? error.message, { cause: error });
  });
  await new Promise<void>((resolve, reject) => {
    socket.connect(target.port, address, (error?: Error) => {
      if (error === undefined || error === null) return resolve();
      socket.close();
      reject(new SyslogFailure('connect', error.message, { cause: error }));
    });
  });
  socket.unref();
  return {
    send(bytes) {
      if (failure !== null) {
        const seen = failure;
        failure = null;
        return Promise.reject(seen);
      }
      return new Promise((resolve, reject) => {
        socket.send(bytes, (error) => {
          if (error === null || error === undefined) resolve();
          else
            reject(
              new SyslogFailure('reset', (error as NodeJS.ErrnoException).code ?? error.message, {
                cause: error,
              }),
            );
        });
      });
    },
    close: () => socket.close(),
  };
}

async function addressOf(host: string, destination: Destination, lookup: Lookup): Promise<string> {
  const refused = destination.refuseHost();
  if (refused !== null) throw new SyslogFailure('denied', refused);
  if (isIP(host) !== 0) return host;
  try {
    return (await resolveAllowed(host, destination, lookup))[0]!.address;
  } catch (error) {
    if (error instanceof EgressDenied) throw new SyslogFailure('denied', error.message);
    const code = (error as NodeJS.ErrnoException).code ?? (error as Error).message;
    throw new SyslogFailure('dns', `${host}: ${code}`, { cause: error });
  }
}
