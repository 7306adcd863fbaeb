// A connected socket as a SyslogConnection.
//
// Invariant: `over` is null only when our own end was handed to the system before the receiver's came, and the socket closed without an
// error. A receiver that ends first has not promised anything about what is on its way to it.
import type { Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { type SyslogConnection, SyslogFailure } from '@tocsin/topologies/ports/syslog.ts';

export type ConnectedSocket = Socket | TLSSocket;

/** Bytes that wait for the system while more are taken: enough that it never waits for us. */
const mostPendingBytes = 1_048_576;

/** Time between probes of a silent connection, ms: a receiver that vanished shows within minutes, not hours. */
const keepAliveMs = 10_000;

export function streamConnection(socket: ConnectedSocket, onData: (bytes: Buffer) => void): SyslogConnection {
  let finished = false;
  let early = false;
  let failure: SyslogFailure | null = null;
  let destroyed = false;
  let pending = 0;
  let roomWaiters: (() => void)[] = [];

  function wake(): void {
    const woken = roomWaiters;
    roomWaiters = [];
    for (const resolve of woken) resolve();
  }

  socket.setKeepAlive(true, keepAliveMs);
  socket.on('data', onData);
  socket.once('finish', () => {
    finished = true;
  });
  socket.once('end', () => {
    if (finished) return;
    early = true;
    // Nobody reads any more: what is still to be written has no use.
    socket.destroy();
  });
  socket.on('error', (error: NodeJS.ErrnoException) => {
    const code = error.code ?? '';
    // A certificate refused by the receiver shows here: in TLS 1.3 its alert comes after our side of the handshake.
    const kind = /^ERR_(SSL|TLS)_/.test(code) ? 'tls' : 'reset';
    failure ??= new SyslogFailure(kind, code === '' ? error.message : code, { cause: error });
  });
  const over = new Promise<SyslogFailure | null>((resolve) => {
    socket.once('close', () => {
      wake();
      if (failure !== null) resolve(failure);
      else if (destroyed) resolve(new SyslogFailure('aborted', 'dropped'));
      else if (early || !finished || !socket.readableEnded)
        resolve(new SyslogFailure('ended', 'the receiver ended the connection'));
      else resolve(null);
    });
  });
  socket.resume();

  return {
    async write(bytes) {
      if (socket.destroyed || !socket.writable) return;
      pending += bytes.length;
      socket.write(bytes, () => {
        pending -= bytes.length;
        wake();
      });
      while (pending > mostPendingBytes && !socket.destroyed)
        await new Promise<void>((resolve) => roomWaiters.push(resolve));
    },
    end: () => void socket.end(),
    destroy() {
      destroyed = true;
      socket.destroy();
    },
    over,
  };
}
