// A HEC receiver that only counts, for benchmarks; a process of its own, so that its cost is not the sink's.
// `node infra/testing/receivers/hec-null.ts [port]` prints {"port":n,"url":...} and answers GET /stats with the totals.
// Invariant: events are counted by where envelopes end, so that a batch that is cut or glued wrongly shows in the count.
import type { Readable } from 'node:stream';
import { createGunzip } from 'node:zlib';
import { ValueCounter } from './hec-parser.ts';
import { type ListeningServer, listen } from './http-server.ts';

export interface HecTotals {
  readonly requests: number;
  /** As sent, before gunzip. */
  readonly bytes: number;
  readonly events: number;
  /** Requests whose last envelope was cut off. */
  readonly broken: number;
}

export interface HecNullReceiver extends ListeningServer {
  totals(): HecTotals;
}

const SUCCESS = Buffer.from('{"text":"Success","code":0}');

/** `countEvents: false` counts bytes and requests only. */
export async function startHecNullReceiver(
  options: { port?: number; countEvents?: boolean } = {},
): Promise<HecNullReceiver> {
  const totals = { requests: 0, bytes: 0, events: 0, broken: 0 };
  const counting = options.countEvents ?? true;
  const server = await listen(
    (request, response) => {
      if (request.method === 'GET') {
        const body = request.url === '/stats' ? totals : { text: 'HEC is healthy', code: 17 };
        response
          .writeHead(200, { 'content-type': 'application/json', server: 'Splunkd' })
          .end(JSON.stringify(body));
        return;
      }
      const counter = new ValueCounter();
      const done = (): void => {
        totals.requests += 1;
        totals.events += counter.count;
        if (!counter.whole()) totals.broken += 1;
        response.writeHead(200, {
          'content-type': 'application/json',
          'content-length': SUCCESS.length,
          server: 'Splunkd',
        });
        response.end(SUCCESS);
      };
      request.on('data', (chunk: Buffer) => {
        totals.bytes += chunk.length;
      });
      const plain: Readable =
        request.headers['content-encoding'] === 'gzip' ? request.pipe(createGunzip()) : request;
      if (counting) plain.on('data', (chunk: Buffer) => counter.add(chunk));
      plain.on('error', () => request.socket.destroy());
      plain.on('end', done);
    },
    options.port === undefined ? {} : { port: options.port },
  );
  return { ...server, totals: () => ({ ...totals }) };
}

if (import.meta.main) {
  const [port = '0', count = 'events'] = process.argv.slice(2);
  const server = await startHecNullReceiver({ port: Number(port), countEvents: count !== 'bytes' });
  process.stdout.write(`${JSON.stringify({ port: server.port, url: server.url })}\n`);
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(0));
}
