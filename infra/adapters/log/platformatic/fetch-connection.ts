// A connection of our own for Fetch requests: it reads answers into buffers that are used again.
//
// Invariant: answers come in the order of the requests; anything else, a broken frame or a deadline missed ends the
// connection, and every request that waits fails.
//
// Surprise: the client's Connection gets a new 64 KB chunk from the runtime for every read and joins them afterwards, which
// is why it is not used here. Its SASL code is: it needs nothing but `send`. A session that the broker limits (KIP-368) is
// not prolonged; the connection retires in time and the next request opens another.
import { connect as connectTcp, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import {
  AuthenticationError,
  type Callback,
  type Connection,
  Reader,
  type ResponseParser,
  saslAuthenticateV2,
  saslHandshakeV1,
  saslPlain,
  saslScramSha,
  Writer,
} from '@platformatic/kafka';
import type { LogConnection } from '../core/settings.ts';
import type { Address } from './connections.ts';
import { FrameReader } from './frame-reader.ts';
import type { ResponseBuffers } from './response-buffers.ts';
import { type FetchRequest, type FetchResponse, fetchV12, readFetch, writeFetch } from './wire.ts';

export interface FetchedResponse extends FetchResponse {
  /** The frame that the records of the answers are views of; to be given back when nobody reads them any more. */
  readonly frame: Buffer;
}

export interface FetchConnectionOptions {
  readonly settings: LogConnection;
  readonly address: Address;
  readonly servername: string | undefined;
  readonly buffers: ResponseBuffers;
  readonly onClose: () => void;
}

interface Waiting {
  readonly correlation: number;
  readonly resolve: (frame: Buffer) => void;
  readonly reject: (error: Error) => void;
  readonly deadline: NodeJS.Timeout;
}

const CONNECT_MS = 10_000;
const REQUEST_MS = 30_000;
/** Part of a limited session after which the connection is not used any more. */
const SESSION_SHARE = 0.8;
const CORRELATION_BYTES = 4;

export class FetchConnection {
  readonly #options: FetchConnectionOptions;
  readonly #socket: Socket;
  readonly #waiting: Waiting[] = [];
  #correlation = 0;
  #retiresAt = Number.POSITIVE_INFINITY;
  #failure: Error | null = null;

  /** Connects and authenticates. */
  static async open(options: FetchConnectionOptions): Promise<FetchConnection> {
    const connection = new FetchConnection(options);
    try {
      await connection.#connected();
      await connection.#authenticate();
      return connection;
    } catch (error) {
      connection.close();
      throw error;
    }
  }

  private constructor(options: FetchConnectionOptions) {
    this.#options = options;
    const { settings, address, servername, buffers } = options;
    const reader = new FrameReader(buffers, (frame) => this.#answer(frame));
    const onread = {
      buffer: () => reader.target(),
      callback: (count: number) => {
        try {
          reader.advance(count);
        } catch (error) {
          this.#fail(error as Error);
        }
        return true;
      },
    };
    const target = { host: address.host, port: address.port, onread };
    const name = servername === undefined ? {} : { servername };
    this.#socket =
      settings.tls === undefined ? connectTcp(target) : connectTls({ ...target, ...settings.tls, ...name });
    this.#socket.setNoDelay(true);
    this.#socket.on('error', (error) => this.#fail(error));
    this.#socket.on('close', () => {
      this.#fail(new Error('connection closed'));
      options.onClose();
    });
  }

  /** The broker will soon end the session. */
  get retired(): boolean {
    return performance.now() > this.#retiresAt;
  }

  async fetch(request: FetchRequest): Promise<FetchedResponse> {
    const frame = await this.#exchange(fetchV12.key, fetchV12.version, writeFetch(request), true);
    return { ...readFetch(afterHeader(frame, true)), frame };
  }

  /** As the client's Connection has it. */
  send<Response>(
    apiKey: number,
    apiVersion: number,
    createPayload: () => Writer,
    parse: ResponseParser<Response>,
    requestTags: boolean,
    responseTags: boolean,
    callback: Callback<Response>,
  ): void {
    this.#exchange(apiKey, apiVersion, createPayload(), requestTags)
      .then((frame) =>
        parse(frame.readInt32BE(0), apiKey, apiVersion, Reader.from(afterHeader(frame, responseTags))),
      )
      .then(
        (response) => callback(null, response),
        (error: Error) => callback(error),
      );
  }

  /** Requests that wait fail. Idempotent. */
  close(): void {
    this.#fail(new Error('connection closed'));
  }

  #exchange(apiKey: number, apiVersion: number, payload: Writer, tags: boolean): Promise<Buffer> {
    if (this.#failure !== null) return Promise.reject(this.#failure);
    this.#correlation = (this.#correlation + 1) & 0x7fffffff;
    const correlation = this.#correlation;
    const writer = Writer.create()
      .appendInt16(apiKey)
      .appendInt16(apiVersion)
      .appendInt32(correlation)
      .appendString(this.#options.settings.clientId, false);
    if (tags) writer.appendTaggedFields();
    this.#socket.write(writer.appendFrom(payload).prependLength().buffer);
    return new Promise((resolve, reject) => {
      const deadline = setTimeout(() => this.#fail(new Error('request timed out')), REQUEST_MS);
      this.#waiting.push({ correlation, resolve, reject, deadline });
    });
  }

  #answer(frame: Buffer): void {
    const waiting = this.#waiting.shift();
    const correlation = frame.readInt32BE(0);
    if (waiting === undefined || waiting.correlation !== correlation) {
      if (waiting !== undefined) this.#waiting.unshift(waiting);
      throw new RangeError(`an answer to request ${correlation}, which is not the one that waits`);
    }
    clearTimeout(waiting.deadline);
    waiting.resolve(frame);
  }

  #fail(error: Error): void {
    if (this.#failure !== null) return;
    this.#failure = error;
    this.#socket.destroy();
    for (const { reject, deadline } of this.#waiting.splice(0)) {
      clearTimeout(deadline);
      reject(error);
    }
  }

  #connected(): Promise<void> {
    return new Promise((resolve, reject) => {
      const late = setTimeout(() => this.#fail(new Error('connection timed out')), CONNECT_MS);
      this.#socket.once(this.#options.settings.tls === undefined ? 'connect' : 'secureConnect', () => {
        clearTimeout(late);
        resolve();
      });
      this.#socket.once('close', () => {
        clearTimeout(late);
        reject(this.#failure ?? new Error('connection closed'));
      });
    });
  }

  async #authenticate(): Promise<void> {
    const { sasl } = this.#options.settings;
    if (sasl === undefined) return;
    // The SASL functions use `send` alone.
    const connection = this as unknown as Connection;
    const { mechanism, username, password } = sasl;
    try {
      await saslHandshakeV1.api.async(connection, mechanism);
    } catch (error) {
      throw this.#failure ?? new AuthenticationError('no suitable SASL mechanism', { cause: error as Error });
    }
    const api = saslAuthenticateV2.api;
    try {
      const { sessionLifetimeMs } =
        mechanism === 'PLAIN'
          ? await saslPlain.authenticate(api, connection, username, password)
          : await saslScramSha.authenticate(
              api,
              connection,
              mechanism === 'SCRAM-SHA-256' ? 'SHA-256' : 'SHA-512',
              username,
              password,
            );
      const lifetimeMs = Number(sessionLifetimeMs);
      if (lifetimeMs > 0) this.#retiresAt = performance.now() + lifetimeMs * SESSION_SHARE;
    } catch (error) {
      // A connection that broke on the way says nothing about the credentials.
      throw this.#failure ?? new AuthenticationError('SASL authentication failed', { cause: error as Error });
    }
  }
}

/** Response header v0 is the correlation id; v1 has tagged fields behind it, which no broker fills. */
function afterHeader(frame: Buffer, tags: boolean): Buffer {
  return frame.subarray(CORRELATION_BYTES + (tags ? 1 : 0));
}
