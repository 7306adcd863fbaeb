// One request and its response: deadline, abort signal and response cap around undici's dispatch.
// Invariant: settles exactly once, at the latest when the deadline comes; once a final status is known it resolves, whatever
// happens to the body afterwards.
// Surprise: the body Buffer is written as it is, without a copy, so it must not change until the promise settles; undici frees a
// connection one turn after its answer, so that a caller who sends again at once gets a second connection.

import { HttpFailure, type HttpRequest, type HttpResponse } from '@tocsin/topologies/ports/http.ts';
import type { Dispatcher, Pool } from 'undici';
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

export function exchange(pool: Pool, request: HttpRequest, how: Exchange): Promise<HttpResponse> {
  return new Promise((resolve, reject) => {
    const collector = new Collector(request, how.deadline, resolve, reject);
    if (collector.over) return;
    try {
      pool.dispatch(
        { path: how.path, method: request.method, headers: how.headers, body: request.body ?? null },
        collector,
      );
    } catch (error) {
      collector.onResponseError(null, error as Error);
    }
  });
}

class Collector implements Dispatcher.DispatchHandler {
  over = false;
  #controller: Dispatcher.DispatchController | null = null;
  #status = 0;
  #headers: Record<string, string> = {};
  #chunks: Buffer[] = [];
  #bytes = 0;
  #informational = 0;
  readonly #limit: number;
  readonly #timer: NodeJS.Timeout | undefined;
  readonly #signal: AbortSignal | undefined;
  readonly #resolve: (response: HttpResponse) => void;
  readonly #reject: (failure: HttpFailure) => void;
  readonly #timeoutMs: number;

  constructor(
    request: HttpRequest,
    deadline: number,
    resolve: (response: HttpResponse) => void,
    reject: (failure: HttpFailure) => void,
  ) {
    this.#limit = request.maxResponseBytes ?? DEFAULT_MAX_RESPONSE_BYTES;
    this.#timeoutMs = request.timeoutMs;
    this.#resolve = resolve;
    this.#reject = reject;
    this.#signal = request.signal;
    if (request.signal?.aborted === true) {
      this.#onAbort();
      return;
    }
    this.#timer = setTimeout(this.#onDeadline, Math.max(0, deadline - performance.now()));
    request.signal?.addEventListener('abort', this.#onAbort, { once: true });
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller;
    // The deadline came while the request waited for a connection: nothing may be written any more.
    if (this.over) controller.abort(new Error('over'));
  }

  onResponseStart(
    controller: Dispatcher.DispatchController,
    status: number,
    headers: Record<string, string | string[] | undefined>,
  ): void {
    if (this.over) return;
    if (status < 200) {
      this.#informational += 1;
      if (this.#informational > MAX_INFORMATIONAL) {
        this.#fail(new HttpFailure('protocol', 'too many informational responses', { sent: true }));
        controller.abort(new Error('over'));
      }
      return;
    }
    if (status > 599) {
      this.#fail(new HttpFailure('protocol', `status ${status} is not an HTTP status`, { sent: true }));
      controller.abort(new Error('over'));
      return;
    }
    this.#status = status;
    for (const name of Object.keys(headers)) {
      const value = headers[name];
      if (value !== undefined) this.#headers[name] = typeof value === 'string' ? value : value.join(', ');
    }
  }

  onResponseData(controller: Dispatcher.DispatchController, chunk: Buffer): void {
    if (this.over) return;
    const room = this.#limit - this.#bytes;
    // undici hands out views into the socket's read buffer, which may be held for long; small ones are copied when joined.
    this.#chunks.push(chunk.length > room ? chunk.subarray(0, room) : chunk);
    this.#bytes += Math.min(room, chunk.length);
    if (chunk.length > room) {
      this.#finish(true);
      controller.abort(new Error('over'));
    }
  }

  onResponseEnd(): void {
    if (!this.over) this.#finish(false);
  }

  onResponseError(_controller: Dispatcher.DispatchController | null, error: Error): void {
    if (this.over) return;
    if (this.#status !== 0) this.#finish(true);
    else this.#fail(classifyFailure(error, this.#controller !== null));
  }

  #onDeadline = (): void => {
    this.#stop(
      new HttpFailure('timeout', `no complete answer within ${this.#timeoutMs} ms`, {
        sent: this.#controller !== null,
      }),
    );
  };

  #onAbort = (): void => {
    this.#stop(new HttpFailure('aborted', 'aborted by the caller', { sent: this.#controller !== null }));
  };

  #stop(failure: HttpFailure): void {
    if (this.over) return;
    if (this.#status !== 0) this.#finish(true);
    else this.#fail(failure);
    this.#controller?.abort(failure);
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
    this.#signal?.removeEventListener('abort', this.#onAbort);
  }
}
