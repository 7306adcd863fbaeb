// A receiver that only counts, for benchmarks; a process of its own, so that its cost is not the sink's.
// Invariant: events are counted by where they end, so that a batch that is cut or glued wrongly shows in the count.
import type { Readable } from 'node:stream';
import { createGunzip } from 'node:zlib';
import { type ListeningServer, listen } from './http-server.ts';

export interface NullTotals {
  readonly requests: number;
  /** As sent, before gunzip. */
  readonly bytes: number;
  readonly events: number;
  /** Requests whose last event was cut off. */
  readonly broken: number;
}

export interface NullReceiver extends ListeningServer {
  totals(): NullTotals;
}

/** Counts the events of one body. */
export interface EventCounter {
  readonly count: number;
  add(chunk: Uint8Array): void;
  /** Whether the last event is complete. */
  whole(): boolean;
}

export interface NullProtocol {
  /** Null counts bytes and requests only. */
  readonly counter: (() => EventCounter) | null;
  /** The answer to a request with so many events. */
  readonly answer: (events: number) => Buffer;
  readonly health: object;
  readonly headers: Readonly<Record<string, string>>;
}

/** GET /stats answers with the totals, any other GET with `health`. */
export async function startNullReceiver(
  protocol: NullProtocol,
  options: { port?: number } = {},
): Promise<NullReceiver> {
  const totals = { requests: 0, bytes: 0, events: 0, broken: 0 };
  const headers = { 'content-type': 'application/json', ...protocol.headers };
  const server = await listen((request, response) => {
    if (request.method === 'GET') {
      const body = request.url === '/stats' ? totals : protocol.health;
      response.writeHead(200, headers).end(JSON.stringify(body));
      return;
    }
    const counter = protocol.counter?.() ?? null;
    const done = (): void => {
      totals.requests += 1;
      totals.events += counter?.count ?? 0;
      if (counter?.whole() === false) totals.broken += 1;
      const answer = protocol.answer(counter?.count ?? 0);
      response.writeHead(200, { ...headers, 'content-length': answer.length });
      response.end(answer);
    };
    request.on('data', (chunk: Buffer) => {
      totals.bytes += chunk.length;
    });
    const plain: Readable =
      request.headers['content-encoding'] === 'gzip' ? request.pipe(createGunzip()) : request;
    if (counter !== null) plain.on('data', (chunk: Buffer) => counter.add(chunk));
    plain.on('error', () => request.socket.destroy());
    plain.on('end', done);
  }, options);
  return { ...server, totals: () => ({ ...totals }) };
}

/** As a process: prints {"port":n,"url":...} and runs until it is told to end. */
export async function runNullReceiver(protocol: NullProtocol, port: number): Promise<void> {
  const server = await startNullReceiver(protocol, { port });
  process.stdout.write(`${JSON.stringify({ port: server.port, url: server.url })}\n`);
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(0));
}
