// Connections to brokers, by address and purpose, over the client's Connection (TCP, TLS, SASL, request framing).
//
// Invariant: one connection per (address, purpose). A broker answers the requests of a connection in order, so a
// fetch that waits for data, or a join that waits for the group, must never share one with a commit.
//
// Surprise: a request that timed out leaves the client's Connection unusable; it is dropped and made anew.
import { type API, Connection } from '@platformatic/kafka';
import type { LogConnection } from '../core/settings.ts';
import { toLogError } from './errors.ts';

export interface Address {
  readonly host: string;
  readonly port: number;
}

export class Connections {
  readonly #settings: LogConnection;
  readonly #open = new Map<string, Promise<Connection>>();
  #closed = false;

  constructor(settings: LogConnection) {
    this.#settings = settings;
  }

  get bootstrap(): Address[] {
    return this.#settings.brokers.map(parseAddress);
  }

  /**
   * Send one request and wait for its answer.
   * @param purpose requests of different purposes do not wait for each other
   * @param timeoutMs set by the first request of a connection, for all of them
   */
  async call<Arguments extends unknown[], Response>(
    address: Address,
    purpose: string,
    api: API<Arguments, Response>,
    args: Arguments,
    timeoutMs = 30_000,
  ): Promise<Response> {
    const connection = await this.#get(address, purpose, timeoutMs);
    return await api.async(connection, ...args);
  }

  /** Drop a connection; requests in flight on it fail. */
  drop(address: Address, purpose: string): void {
    const key = keyOf(address, purpose);
    const connection = this.#open.get(key);
    this.#open.delete(key);
    connection?.then(close, () => undefined);
  }

  async close(): Promise<void> {
    this.#closed = true;
    const all = [...this.#open.values()];
    this.#open.clear();
    await Promise.all(all.map((connection) => connection.then(close, () => undefined)));
  }

  #get(address: Address, purpose: string, timeoutMs: number): Promise<Connection> {
    const key = keyOf(address, purpose);
    const existing = this.#open.get(key);
    if (existing !== undefined) return existing;
    const opening = this.#connect(address, key, timeoutMs);
    this.#open.set(key, opening);
    opening.catch(() => this.#forget(key, opening));
    return opening;
  }

  async #connect(address: Address, key: string, timeoutMs: number): Promise<Connection> {
    if (this.#closed) throw toLogError('log client is closed', new Error('closed'));
    const { clientId, tls, sasl } = this.#settings;
    const connection = new Connection(clientId, {
      connectTimeout: 10_000,
      requestTimeout: timeoutMs,
      ...(tls === undefined
        ? {}
        : {
            tls: { ...tls },
            ...(tls.servername === undefined ? { tlsServerName: isName(address.host) } : {}),
          }),
      ...(sasl === undefined ? {} : { sasl: { ...sasl } }),
    });
    // An 'error' event without a listener would end the process; the request that fails reports it.
    connection.on('error', () => this.#forgetIf(key, connection));
    connection.on('close', () => this.#forgetIf(key, connection));
    try {
      await connection.connect(address.host, address.port);
    } catch (error) {
      throw toLogError(`cannot connect to ${address.host}:${address.port}`, error);
    }
    return connection;
  }

  #forget(key: string, opening: Promise<Connection>): void {
    if (this.#open.get(key) === opening) this.#open.delete(key);
  }

  #forgetIf(key: string, connection: Connection): void {
    const current = this.#open.get(key);
    current?.then(
      (opened) => {
        if (opened === connection) this.#forget(key, current);
      },
      () => undefined,
    );
  }
}

function keyOf(address: Address, purpose: string): string {
  return `${address.host}:${address.port} ${purpose}`;
}

/** Server name indication takes names only, no addresses (RFC 6066 section 3). */
function isName(host: string): boolean {
  return !/^[\d.]+$/.test(host) && !host.includes(':');
}

async function close(connection: Connection): Promise<void> {
  await connection.close().catch(() => undefined);
}

export function parseAddress(broker: string): Address {
  const colon = broker.lastIndexOf(':');
  const host = broker.slice(0, colon).replace(/^\[|\]$/g, '');
  return { host, port: Number(broker.slice(colon + 1)) };
}
