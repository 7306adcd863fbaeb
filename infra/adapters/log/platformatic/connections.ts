// Connections to brokers, by address and purpose, over the client's Connection (TCP, TLS, SASL, request framing).
//
// Invariant: one connection per (address, purpose). A broker answers the requests of a connection in order, so a
// fetch that waits for data, or a join that waits for the group, must never share one with a commit.
//
// Surprise: a request that timed out leaves the client's Connection unusable; it is dropped and made anew.
import { type API, Connection } from '@platformatic/kafka';
import type { LogConnection } from '../core/settings.ts';
import { toLogError } from './errors.ts';
import { FetchConnection, type FetchedResponse } from './fetch-connection.ts';
import { ResponseBuffers } from './response-buffers.ts';
import type { FetchRequest } from './wire.ts';

export interface Address {
  readonly host: string;
  readonly port: number;
}

// One for the process: what one consumer has given back serves the next, and many consumers keep no more than one does.
const sharedBuffers = new ResponseBuffers();

export class Connections {
  readonly #settings: LogConnection;
  /** Memory of the answers to `fetch`. */
  readonly buffers = sharedBuffers;
  readonly #open = new Map<string, Promise<Connection>>();
  readonly #fetching = new Map<string, Promise<FetchConnection>>();
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

  /** One Fetch request, over a connection that serves nothing else. Its frame goes back to `buffers`. */
  async fetch(address: Address, request: FetchRequest): Promise<FetchedResponse> {
    return await (await this.#fetchConnection(address)).fetch(request);
  }

  /** Drop the connection of `fetch`; a request in flight on it fails. */
  dropFetch(address: Address): void {
    const key = keyOf(address, 'fetch');
    const connection = this.#fetching.get(key);
    this.#fetching.delete(key);
    connection?.then(
      (opened) => opened.close(),
      () => undefined,
    );
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
    const fetching = [...this.#fetching.values()];
    this.#fetching.clear();
    await Promise.all([
      ...all.map((connection) => connection.then(close, () => undefined)),
      ...fetching.map((connection) =>
        connection.then(
          (opened) => opened.close(),
          () => undefined,
        ),
      ),
    ]);
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

  async #fetchConnection(address: Address): Promise<FetchConnection> {
    const key = keyOf(address, 'fetch');
    const existing = this.#fetching.get(key);
    if (existing !== undefined) {
      const connection = await existing;
      if (!connection.retired) return connection;
      if (this.#fetching.get(key) === existing) this.dropFetch(address);
      return await this.#fetchConnection(address);
    }
    const forget = (): void => {
      if (this.#fetching.get(key) === opening) this.#fetching.delete(key);
    };
    const opening = this.#connectFetch(address, forget);
    this.#fetching.set(key, opening);
    opening.catch(forget);
    return await opening;
  }

  async #connectFetch(address: Address, onClose: () => void): Promise<FetchConnection> {
    if (this.#closed) throw toLogError('log client is closed', new Error('closed'));
    const { tls } = this.#settings;
    const servername = tls === undefined ? undefined : (tls.servername ?? nameOf(address.host));
    try {
      return await FetchConnection.open({
        settings: this.#settings,
        address,
        servername,
        buffers: this.buffers,
        onClose,
      });
    } catch (error) {
      throw toLogError(`cannot connect to ${address.host}:${address.port}`, error);
    }
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
            ...(tls.servername === undefined ? { tlsServerName: nameOf(address.host) !== undefined } : {}),
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
function nameOf(host: string): string | undefined {
  return /^[\d.]+$/.test(host) || host.includes(':') ? undefined : host;
}

async function close(connection: Connection): Promise<void> {
  await connection.close().catch(() => undefined);
}

export function parseAddress(broker: string): Address {
  const colon = broker.lastIndexOf(':');
  const host = broker.slice(0, colon).replace(/^\[|\]$/g, '');
  return { host, port: Number(broker.slice(colon + 1)) };
}
