// How to reach the log: brokers, TLS, SASL. Read once, passed down; nothing below looks at the environment.

export type SaslMechanism = 'PLAIN' | 'SCRAM-SHA-256' | 'SCRAM-SHA-512';

export interface SaslSettings {
  readonly mechanism: SaslMechanism;
  readonly username: string;
  readonly password: string;
}

export interface TlsSettings {
  /** PEM of the authorities to trust; default the system's. */
  readonly ca?: string;
  /** PEM of the client certificate, for mutual TLS. */
  readonly cert?: string;
  readonly key?: string;
  /** Name to expect in the broker's certificate; default the host of each broker. */
  readonly servername?: string;
}

export interface LogConnection {
  /** `host:port` of at least one broker. */
  readonly brokers: readonly string[];
  readonly clientId: string;
  readonly tls?: TlsSettings;
  readonly sasl?: SaslSettings;
  /**
   * What a consumer does when the log no longer holds its offset. 'stop' (default): that partition stops after the
   * notice, and `seek` starts it again; 'earliest': after the notice it goes on at the first offset that is left.
   */
  readonly onOffsetOutOfRange?: 'stop' | 'earliest';
  /** How often partitions and leaders are looked up again, ms; default 30,000. */
  readonly metadataRefreshMs?: number;
  /** Output limit for one compressed record batch, bytes; default 64 MiB. */
  readonly maxDecompressedBytes?: number;
}

export const DEFAULT_METADATA_REFRESH_MS = 30_000;
