// Syslog transports: connections over TCP and TLS, and datagrams. What is written, and what counts as delivered, is not decided here.
import type { HttpTls } from './http.ts';

export interface SyslogTarget {
  /** Without brackets. */
  readonly host: string;
  readonly port: number;
  /** Null for a connection in the clear. */
  readonly tls: HttpTls | null;
  /** Limit for DNS, TCP and TLS together, ms. */
  readonly timeoutMs: number;
  /** Addresses this host may resolve to beyond what the egress mode allows, as CIDR. */
  readonly allowCidrs: readonly string[];
}

/** 'denied' by the egress policy, 'ended' by the receiver although we had not ended, 'aborted' by us. */
export type SyslogFailureClass =
  | 'denied'
  | 'dns'
  | 'connect'
  | 'tls'
  | 'reset'
  | 'ended'
  | 'timeout'
  | 'protocol'
  | 'aborted';

export class SyslogFailure extends Error {
  readonly failure: SyslogFailureClass;
  constructor(failure: SyslogFailureClass, message: string, options: { cause?: unknown } = {}) {
    super(message, { cause: options.cause });
    this.name = 'SyslogFailure';
    this.failure = failure;
  }
}

export interface SyslogConnection {
  /**
   * Hands bytes over, in the order of the calls. Resolves when the connection has room for more, whether or not the receiver has them;
   * never rejects: what goes wrong shows in `over`. The bytes must stay as they are until the connection is over.
   */
  write(bytes: Buffer): Promise<void>;
  /** Ends our side after everything written; the receiver may still send. */
  end(): void;
  /** Drops the connection. */
  destroy(): void;
  /**
   * How it ended: null when both sides ended in order, we first; everything written was then read by the receiver's system and the receiver
   * itself read to the end. Otherwise the failure. Never rejects.
   */
  readonly over: Promise<SyslogFailure | null>;
}

export interface DatagramSocket {
  /** Resolves when the operating system has taken the datagram; rejects with SyslogFailure. */
  send(bytes: Buffer): Promise<void>;
  close(): void;
}

export interface SyslogPort {
  /** `onData` gets what the receiver sends. Rejects with SyslogFailure only. */
  connect(target: SyslogTarget, onData: (bytes: Buffer) => void): Promise<SyslogConnection>;
  /** A socket for datagrams to this host. Rejects with SyslogFailure only. */
  datagrams(target: SyslogTarget): Promise<DatagramSocket>;
}
