// Syslog transports in memory: a receiver that reads what it is told to, and ends or breaks connections when told to.
import { type SyslogConnection, SyslogFailure, type SyslogPort, type SyslogTarget } from '../syslog.ts';

export interface FakeSyslogConnection {
  /** Everything written so far. */
  readonly received: () => Buffer;
  /** We have ended our side. */
  readonly ended: () => boolean;
  readonly isOver: () => boolean;
  /** The receiver ends its side: the proof after our end, a loss before it. */
  end(): void;
  /** The connection breaks. */
  break(failure?: SyslogFailure): void;
  /** The receiver sends bytes. */
  send(bytes: string): void;
}

export interface FakeSyslog extends SyslogPort {
  readonly connections: readonly FakeSyslogConnection[];
  readonly datagramsSent: readonly Buffer[];
  readonly targets: readonly SyslogTarget[];
  /** While set, connecting and datagrams fail with it. */
  failure: SyslogFailure | null;
  /** While true, writes find no room. */
  full: boolean;
  /** While true, the receiver ends its side as soon as we have ended ours. */
  polite: boolean;
  /** Called with each new connection and each write to it: for receivers that answer. */
  onWrite: ((connection: FakeSyslogConnection, bytes: Buffer) => void) | null;
}

/** A receiver that takes everything and ends its side after ours. */
export function fakeSyslog(): FakeSyslog {
  const connections: FakeSyslogConnection[] = [];
  const datagramsSent: Buffer[] = [];
  const targets: SyslogTarget[] = [];

  const fake: FakeSyslog = {
    connections,
    datagramsSent,
    targets,
    failure: null,
    full: false,
    polite: true,
    onWrite: null,
    async connect(target, onData) {
      targets.push(target);
      if (fake.failure !== null) throw fake.failure;
      return open(onData);
    },
    async datagrams(target) {
      targets.push(target);
      if (fake.failure !== null) throw fake.failure;
      return {
        async send(bytes) {
          if (fake.failure !== null) throw fake.failure;
          datagramsSent.push(Buffer.from(bytes));
        },
        close() {},
      };
    },
  };

  function open(onData: (bytes: Buffer) => void): SyslogConnection {
    const pieces: Buffer[] = [];
    let ended = false;
    let isOver = false;
    let finish: (failure: SyslogFailure | null) => void = () => undefined;
    const over = new Promise<SyslogFailure | null>((resolve) => {
      finish = (failure) => {
        isOver = true;
        resolve(failure);
      };
    });
    const connection: FakeSyslogConnection = {
      received: () => Buffer.concat(pieces),
      ended: () => ended,
      isOver: () => isOver,
      end: () => finish(ended ? null : new SyslogFailure('ended', 'the receiver ended the connection')),
      break: (failure = new SyslogFailure('reset', 'ECONNRESET')) => finish(failure),
      send: (bytes) => onData(Buffer.from(bytes)),
    };
    connections.push(connection);
    return {
      async write(bytes) {
        if (isOver) return;
        // Copied at once: what the writer does to its memory afterwards must not matter.
        pieces.push(Buffer.from(bytes));
        fake.onWrite?.(connection, bytes);
        if (fake.full) await new Promise(() => undefined);
      },
      end() {
        ended = true;
        if (fake.polite) connection.end();
      },
      destroy: () => finish(new SyslogFailure('aborted', 'dropped')),
      over,
    };
  }

  return fake;
}
