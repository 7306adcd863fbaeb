// Makes guarded TCP and TLS connections for the HTTP pools.
// Invariant: no byte is written before the address that the socket really has was checked; every failure is an HttpFailure with
// `sent: false`.
// Surprise: TLS starts on a socket that is already connected and checked, because tls.connect by itself would greet first.
import { isIP, type LookupFunction, connect as netConnect, type Socket } from 'node:net';
import { type TLSSocket, connect as tlsConnect } from 'node:tls';
import { HttpFailure, type HttpTls } from '@tocsin/topologies/ports/http.ts';
import type { Destination } from './egress-policy.ts';
import { EgressDenied, type Lookup, resolveAllowed } from './resolve.ts';

export interface ConnectSettings {
  readonly destination: Destination;
  readonly lookup: Lookup;
  readonly tls: HttpTls;
  /** Limit for DNS, TCP and TLS together, ms. */
  readonly timeoutMs: number;
}

export interface ConnectTarget {
  /** Without brackets. */
  readonly hostname: string;
  /** Empty for the protocol's default. */
  readonly port: string;
  /** 'https:' starts TLS, and so does 'tls:' without saying what will be spoken; anything else hands the plain TCP connection over. */
  readonly protocol: string;
}

type Done = (...result: [error: null, socket: Socket | TLSSocket] | [error: Error, socket: null]) => void;

/**
 * Connects and hands over the socket, or an HttpFailure of class denied, dns, connect or tls. `done` is called once. What it returns
 * breaks the attempt off, with a failure of class aborted; afterwards it does nothing.
 */
export function connectGuarded(target: ConnectTarget, settings: ConnectSettings, done: Done): () => void {
  const { destination, lookup, tls } = settings;
  const host = target.hostname;
  const secure = target.protocol === 'https:' || target.protocol === 'tls:';
  const refused = destination.refuseHost();
  if (refused !== null) {
    done(new HttpFailure('denied', refused, { sent: false }), null);
    return () => {};
  }
  const guardedLookup: LookupFunction = (name, options, callback) => {
    resolveAllowed(name, destination, lookup).then(
      (addresses) => {
        if (options.all === true) callback(null, [...addresses]);
        else callback(null, addresses[0]!.address, addresses[0]!.family);
      },
      (error: NodeJS.ErrnoException) => callback(error, '', 0),
    );
  };
  const port = target.port === '' ? (secure ? 443 : 80) : Number(target.port);
  const socket = netConnect({
    host,
    port,
    lookup: guardedLookup,
    autoSelectFamily: true,
    noDelay: true,
    keepAlive: true,
  });
  let settled = false;
  let current: Socket | TLSSocket = socket;
  let phase: 'connect' | 'tls' = 'connect';
  const fail = (failure: HttpFailure): void => {
    if (settled) return;
    settled = true;
    clearTimeout(timer);
    current.destroy();
    socket.destroy();
    done(failure, null);
  };
  const onError = (error: Error): void => fail(connectFailure(error, phase, `${host}:${port}`));
  const timer = setTimeout(
    () =>
      fail(
        new HttpFailure(phase, `no ${phase} to ${host}:${port} within ${settings.timeoutMs} ms`, {
          sent: false,
        }),
      ),
    settings.timeoutMs,
  );
  const ready = (): void => {
    if (settled) return;
    settled = true;
    clearTimeout(timer);
    const connected = current;
    connected.removeListener('error', onError);
    // A TLS alert is followed by the end of the stream, which undici would report instead of it.
    connected.on('error', (error) => connected.destroy(error));
    done(null, connected);
  };
  socket.once('connect', () => {
    const reason = destination.refuseAddress(socket.remoteAddress ?? '');
    if (reason !== null) {
      fail(new HttpFailure('denied', `${host}: ${reason}`, { sent: false }));
      return;
    }
    if (!secure) {
      ready();
      return;
    }
    phase = 'tls';
    const servername = tls.servername ?? (isIP(host) === 0 ? host : '');
    try {
      current = tlsConnect({
        socket,
        host,
        servername,
        minVersion: 'TLSv1.2',
        ...(target.protocol === 'https:' ? { ALPNProtocols: ['http/1.1'] } : {}),
        rejectUnauthorized: tls.verify !== false,
        ...(tls.ca === undefined ? {} : { ca: tls.ca }),
        ...(tls.cert === undefined ? {} : { cert: tls.cert }),
        ...(tls.key === undefined ? {} : { key: tls.key }),
      });
    } catch (error) {
      // Certificates or keys that OpenSSL cannot read.
      onError(error as Error);
      return;
    }
    // A reset during the handshake shows on the TLS socket only after the raw one closed.
    current.on('error', onError);
    current.once('close', () => onError(new Error('closed during the handshake')));
    current.once('secureConnect', ready);
  });
  socket.on('error', onError);
  return () => {
    if (!settled) fail(new HttpFailure('aborted', `${host}:${port}: broken off`, { sent: false }));
  };
}

function connectFailure(error: NodeJS.ErrnoException, phase: 'connect' | 'tls', where: string): HttpFailure {
  if (error instanceof EgressDenied) return new HttpFailure('denied', error.message, { sent: false });
  const code = error.code ?? innerCode(error);
  const text = `${where}: ${code ?? error.message}`;
  if (error.syscall === 'getaddrinfo' || code === 'ENOTFOUND' || code?.startsWith('EAI_') === true) {
    return new HttpFailure('dns', text, { sent: false, cause: error });
  }
  return new HttpFailure(phase, text, { sent: false, cause: error });
}

// With several addresses Node reports an AggregateError without a code of its own.
function innerCode(error: Error): string | undefined {
  const inner =
    error instanceof AggregateError ? (error.errors[0] as NodeJS.ErrnoException | undefined) : undefined;
  return inner?.code;
}
