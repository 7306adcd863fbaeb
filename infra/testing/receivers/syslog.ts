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
  /** Breaks every connection off once it has brought so many messages, until it is set to null. */
  resetAfter(messages: number | null): void;
  close(): Promise<void>;
}

export interface SyslogReceiverOptions {
  readonly port?: number;
  /** Called with the messages that came together, before anything else is read. */
  readonly onMessages?: (messages: readonly string[]) => void;
}

export async function startSyslogReceiver(options: SyslogReceiverOptions = {}): Promise<SyslogReceiver> {
  const messages: string[] = [];
  let broken = 0;
  let most: number | null = null;
  const { port, close } = await startRawReceiver(
    (socket) => {
      let came: string[] = [];
      let total = 0;
      const reader = createOctetReader((message) => {
        if (message === null) broken += 1;
        else came.push(message.toString('utf8'));
      });
      socket.on('data', (bytes) => {
        reader.add(bytes);
        for (const message of came) messages.push(message);
        if (came.length > 0) options.onMessages?.(came);
        total += came.length;
        came = [];
        if (most !== null && total >= most) socket.resetAndDestroy();
      });
      socket.on('end', () => {
        if (reader.rest() > 0) broken += 1;
        socket.end();
      });
    },
    options.port === undefined ? {} : { port: options.port },
  );
  return {
    port,
    messages,
    broken: () => broken,
    resetAfter(value) {
      most = value;
    },
    close,
  };
}
