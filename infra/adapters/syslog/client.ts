// The syslog port on Node's sockets: guarded connections over TCP and TLS, datagrams over UDP.
import { HttpFailure } from '@tocsin/topologies/ports/http.ts';
import {
  type SyslogConnection,
  SyslogFailure,
  type SyslogPort,
  type SyslogTarget,
} from '@tocsin/topologies/ports/syslog.ts';
import { connectGuarded } from '../http/connect.ts';
import { createEgressPolicy, type Destination, type EgressPolicy, plainHost } from '../http/egress-policy.ts';
import { type Lookup, lookupSystem } from '../http/resolve.ts';
import { type ConnectedSocket, streamConnection } from './connection.ts';
import { openDatagrams } from './datagrams.ts';

export interface SyslogClientSettings {
  /** Default: mode open with nothing added. */
  readonly egress?: EgressPolicy;
  readonly lookup?: Lookup;
}

/** See SyslogPort. Nothing is shared between connections. */
export function createSyslogClient(settings: SyslogClientSettings = {}): SyslogPort {
  const egress = settings.egress ?? createEgressPolicy({ mode: 'open' });
  const lookup = settings.lookup ?? lookupSystem;
  return {
    async connect(target, onData): Promise<SyslogConnection> {
      const destination = destinationOf(egress, target);
      return streamConnection(await connect(target, destination, lookup), onData);
    },
    async datagrams(target) {
      return openDatagrams(target, destinationOf(egress, target), lookup);
    },
  };
}

function destinationOf(egress: EgressPolicy, { host, allowCidrs }: SyslogTarget): Destination {
  try {
    return egress.destination(plainHost(host), allowCidrs);
  } catch (error) {
    // A malformed range in the connection's list refuses, it does not widen.
    throw new SyslogFailure('denied', (error as Error).message);
  }
}

function connect(target: SyslogTarget, destination: Destination, lookup: Lookup): Promise<ConnectedSocket> {
  const { port, tls, timeoutMs } = target;
  const address = {
    hostname: plainHost(target.host),
    port: String(port),
    protocol: tls === null ? 'syslog:' : 'tls:',
  };
  return new Promise((resolve, reject) => {
    connectGuarded(address, { destination, lookup, tls: tls ?? {}, timeoutMs }, (error, socket) =>
      socket === null ? reject(failureOf(error)) : resolve(socket),
    );
  });
}

function failureOf(error: Error): SyslogFailure {
  if (!(error instanceof HttpFailure)) return new SyslogFailure('connect', error.message, { cause: error });
  const { failure, message } = error;
  const known = failure === 'denied' || failure === 'dns' || failure === 'tls' || failure === 'connect';
  return new SyslogFailure(known ? failure : 'connect', message, { cause: error });
}
