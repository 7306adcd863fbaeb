// What the tests of the guarded client share: scripted TCP receivers that close after each test, and requests that may reach them.
import type { Socket } from 'node:net';
import {
  onRequestHead,
  type RawReceiver,
  type RawScript,
  startRawReceiver,
} from '@tocsin/testing/receivers/raw.ts';
import { HttpFailure, type HttpRequest, type HttpResponse } from '@tocsin/topologies/ports/http.ts';
import { afterEach } from 'vitest';

const LOCAL = ['127.0.0.0/8', '::1/128'];
/** Receivers of the running test; take one out to close it yourself. */
export const open: RawReceiver[] = [];

/** Call once per test file. */
export function closeReceiversAfterEach(): void {
  afterEach(async () => {
    await Promise.all(open.splice(0).map((receiver) => receiver.close()));
  });
}

export async function receiver(script: RawScript): Promise<RawReceiver> {
  const started = await startRawReceiver(script);
  open.push(started);
  return started;
}

export function get(url: string, extra: Partial<HttpRequest> = {}): HttpRequest {
  return { method: 'GET', url, headers: [], timeoutMs: 2_000, allowCidrs: LOCAL, ...extra };
}

export function post(url: string, extra: Partial<HttpRequest> = {}): HttpRequest {
  return get(url, {
    method: 'POST',
    body: '{"a":1}',
    headers: [['content-type', 'application/json']],
    ...extra,
  });
}

export async function failureOf(sending: Promise<HttpResponse>): Promise<HttpFailure> {
  const error = await sending.then(
    (response) => new Error(`answered ${response.status}`),
    (reason: unknown) => reason,
  );
  if (!(error instanceof HttpFailure)) throw error;
  return error;
}

export const answer = (text: string) => (socket: Socket) => onRequestHead(socket, () => socket.write(text));
