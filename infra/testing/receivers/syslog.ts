// A syslog receiver over TCP with octet counting (RFC 6587 3.4.1) that keeps its messages.
//
// Surprise: it ends its side when the sender ends; over plain TCP that is the only proof of delivery there is.
import { createOctetReader } from './octet-counting.ts';
import { startRawReceiver } from './raw.ts';

export interface SyslogReceiver {
  readonly port: number;
  /** In the order of arrival, all connections together. */
  readonly messages: readonly string[];
  /** Messages that were cut off or had no count. */
  broken(): number;
  close(): Promise<void>;
}

export async function startSyslogReceiver(): Promise<SyslogReceiver> {
  const messages: string[] = [];
  let broken = 0;
  const { port, close } = await startRawReceiver((socket) => {
    const reader = createOctetReader((message) => {
      if (message === null) broken += 1;
      else messages.push(message.toString('utf8'));
    });
    socket.on('data', (bytes) => reader.add(bytes));
    socket.on('end', () => {
      if (reader.rest() > 0) broken += 1;
      socket.end();
    });
  });
  return { port, messages, broken: () => broken, close };
}
