// Syslog over UDP (RFC 5426): one message per datagram, and no proof of anything.
//
// Surprise: delivered means that the operating system took the datagrams. What the network or the receiver loses is lost; a port that
// nobody listens on shows, if at all, at a later datagram.
import type { BatchVerdict, ReceiverContext, SinkReceiver } from '../../domain/sink/define-sink.ts';
import {
  type DatagramSocket,
  SyslogFailure,
  type SyslogPort,
  type SyslogTarget,
} from '../../ports/syslog.ts';
import { countedEnd, messageStart } from './counted.ts';

export function datagramReceiver(
  port: SyslogPort,
  target: SyslogTarget,
  { signal }: ReceiverContext,
): SinkReceiver {
  let socket: DatagramSocket | null = null;
  // One body after the other, so that messages leave in order.
  let last: Promise<unknown> = Promise.resolve();

  async function sendAll(body: Buffer): Promise<BatchVerdict> {
    let sent = 0;
    try {
      if (signal.aborted) throw new SyslogFailure('aborted', 'the sink stops');
      socket ??= await port.datagrams(target);
      for (let at = 0; at < body.length; ) {
        const end = countedEnd(body, at);
        await socket.send(body.subarray(messageStart(body, at), end));
        sent += 1;
        at = end;
      }
      return { class: 'delivered', slowDown: false };
    } catch (error) {
      if (!(error instanceof SyslogFailure)) throw error;
      socket?.close();
      socket = null;
      const { failure: code, message: detail } = error;
      if (code === 'denied' || code === 'dns') return { class: 'sink-fault', code, detail };
      return { class: 'transient', code, detail, afterMs: null, slowDown: false, accepted: sent };
    }
  }

  return {
    send(body) {
      const sending = last.then(() => sendAll(body));
      last = sending.catch(() => undefined);
      return sending;
    },
    async probe() {
      try {
        (await port.datagrams(target)).close();
        return true;
      } catch {
        return false;
      }
    },
    close() {
      socket?.close();
      socket = null;
    },
  };
}
