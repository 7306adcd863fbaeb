// One request and its response: deadline, abort signal and response cap around undici's dispatch.
// Invariant: settles exactly once, at the latest when the deadline comes; once a final status is known it resolves, whatever
// happens to the body afterwards.
// Surprise: the body Buffer is written as it is, without a copy, so it must not change until the promise settles.

import { HttpFailure, type HttpRequest, type HttpResponse } from '@tocsin/topologies/ports/http.ts';
import type { Dispatcher } from 'undici';
import { onAbort } from './aborts.ts';
import type { Connection, Origin, Turn } from './connections.ts';
import { classifyFailure } from './failure.ts';

export interface Exchange {
  readonly path: string;
  /** Flat: name, value, name, value. */
  readonly headers: string[];
  /** performance.now() at which the request has to be over. */
  readonly deadline: number;
}

const DEFAULT_MAX_RESPONSE_BYTES = 64 * 1024;
// A receiver that sends one informational response after another is not making progress.
const MAX_INFORMATIONAL = 64;

export function exchange(to: Origin, request: HttpRequest, how: Exchange): Promise<HttpResponse> {
  return new Promise((resolve, reject) => {
    const collector = new Collector(to, request, how, resolve, reject);
    if (!collector.over) to.enter(collector);
  });
}

class Collector implements Dispatcher.DispatchHandler, Turn {
  over = false;
  readonly deadline: number;
  #controller: Dispatcher.DispatchController | null = null;
  #status = 0;
  #headers: Record<string, string> = {};
  #chunks: Buffer[] = [];
  #bytes = 0;
  #informational = 0;
  readonly #limit: number;
  readonly #timer: NodeJS.Timeout | undefined;
  readonly #ignoreAbort: (() => void) | undefined;
  readonly #to: Origin;
  readonly #request: HttpRequest;
  readonly #how: Exchange;
  #connection: Connection | null = null;
  readonly #resolve: (response: HttpResponse) => void;
  readonly #reject: (failure: HttpFailure) => void;

  constructor(
    to: Origin,
    request: HttpRequest,
    how: Exchange,
    resolve: (response: HttpResponse) => void,
    reject: (failure: HttpFailure) => void,
  ) {
    this.#limit = request.maxResponseBytes ?? DEFAULT_MAX_RESPONSE_BYTES;
    this.#to = to;
    this.#request = request;
    this.#how = how;
    this.deadline = how.deadline;
    this.#resolve = resolve;
    this.#reject = reject;
    if (request.signal?.aborted === true) {
      this.#onAbort();
      return;
    }
    this.#timer = setTimeout(this.#onDeadline, Math.max(0, how.deadline - performance.now()));
    if (request.signal !== undefined) this.#ignoreAbort = onAbort(request.signal, this.#onAbort);
  }

  start(connection: Connection): void {
    this.#connection = connection;
    const { path, headers } = this.#how;
    const { method, body = null } = this.#request;
    try {
      connection.client.dispatch({ path, method, headers, body }, this);
    } catch (error) {
      this.onResponseError(null, error as Error);
    }
  }

  fail(failure: HttpFailure): void {
    if (!this.over) this.#fail(failure);
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller;
    // The deadline came while the request waited for a connection: nothing may be written any more.
    if (this.over) controller.abort(new Error('over'));
  }

  onResponseStart(
    _controller: Dispatcher.DispatchController,
    status: number,
    headers: Record<string, string | string[] | undefined>,
  ): void {
    if (this.over) return;
    if (status < 200) {
      this.#informational += 1;
      if (this.#informational > MAX_INFORMATIONAL) {
        this.#fail(new HttpFailure('protocol', 'too many informational responses', { sent: true }));
        this.#breakOff(new Error('over'));
      }
      return;
    }
    if (status > 599) {
      this.#fail(new HttpFailure('protocol', `status ${status} is not an HTTP status`, { sent: true }));
      this.#breakOff(new Error('over'));
      return;
    }
    this.#status = status;
    for (const name of Object.keys(headers)) {
      const value = headers[name];
      if (value !== undefined) this.#headers[name] = typeof value === 'string' ? value : value.join(', ');
    }
  }

  onResponseData(_controller: Dispatcher.DispatchController, chunk: Buffer): void {
    if (this.over) return;
    const room = this.#limit - this.#bytes;
    // undici hands out views into the socket's read buffer, which may be held for long; small ones are copied when joined.
    this.#chunks.push(chunk.length > room ? chunk.subarray(0, room) : chunk);
    this.#bytes += Math.min(room, chunk.length);
    if (chunk.length > room) {
      this.#finish(true);
      this.#breakOff(new Error('over'));
    }
  }

  onResponseEnd(): void {
    if (this.over) return;
    this.#finish(false);
    this.#connection?.done(true);
  }

  onResponseError(_controller: Dispatcher.DispatchController | null, error: Error): void {
    if (this.over) return;
    if (this.#status !== 0) this.#finish(true);
    else this.#fail(classifyFailure(error, this.#controller !== null));
    this.#connection?.done(false);
  }

  #onDeadline = (): void => {
    const { timeoutMs } = this.#request;
    const failure =
      this.#connection === null && this.#to.isHeldUp()
        ? new HttpFailure('busy', `no connection was free within ${timeoutMs} ms`, { sent: false })
        : new HttpFailure('timeout', `no complete answer within ${timeoutMs} ms`, {
            sent: this.#controller !== null,
          });
    this.#stop(failure);
  };

  #onAbort = (): void => {
    this.#stop(new HttpFailure('aborted', 'aborted by the caller', { sent: this.#controller !== null }));
  };

  #stop(failure: HttpFailure): void {
    if (this.over) return;
    if (this.#connection === null) this.#to.leave(this);
    if (this.#status !== 0) this.#finish(true);
    else this.#fail(failure);
    this.#breakOff(failure);
  }

  #breakOff(why: Error): void {
    this.#controller?.abort(why);
    this.#connection?.done(false);
  }

  #finish(truncated: boolean): void {
    this.#settle();
    const body = Buffer.concat(this.#chunks, this.#bytes);
    this.#chunks = [];
    this.#resolve({ status: this.#status, headers: this.#headers, body, truncated });
  }

  #fail(failure: HttpFailure): void {
    this.#settle();
    this.#reject(failure);
  }

  #settle(): void {
    this.over = true;
    clearTimeout(this.#timer);
    this.#ignoreAbort?.();
  }
}
