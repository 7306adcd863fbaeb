// A sink runner over a receiver in memory that stores events as Splunk does, driven with hand-made batches and a clock that stands still.
import { type BatchLimits, defaultBatch } from '../domain/sink/batch.ts';
import type { HttpExchange } from '../domain/sink/define-sink.ts';
import { compileBytesFilter, type SinkFilters } from '../domain/sink/filter.ts';
import { overHttp } from '../domain/sink/over-http.ts';
import { fakeClock } from '../ports/fakes/clock.ts';
import { fakeLogger } from '../ports/fakes/logger.ts';
import { fakeMetrics } from '../ports/fakes/metrics.ts';
import { HttpFailure, type HttpPort, type HttpRequest, type HttpResponse } from '../ports/http.ts';
import type { OutRecord } from '../ports/log.ts';
import { createSinkRunner } from '../run/sink.ts';
import { createSinkDecode } from '../run/sink-decode.ts';
import type { DecodeValue } from '../run/sink-fill.ts';
import { contractConnection } from '../sinks/contract.ts';
import { splunkHec } from '../sinks/splunk-hec/sink.ts';

interface Event {
  readonly n: number;
  readonly bad?: boolean;
}

type Fault = (events: readonly Event[], request: HttpRequest) => HttpResponse | HttpFailure | null;

export const reply = (status: number, body: unknown, headers: Record<string, string> = {}): HttpResponse => ({
  status,
  headers,
  body: Buffer.from(typeof body === 'string' ? body : JSON.stringify(body)),
  truncated: false,
});
export const busy = reply(503, { text: 'Server is busy', code: 9 });
export const badToken = reply(403, { text: 'Invalid token', code: 4 });
export const value = (n: number, more: Record<string, unknown> = {}): string =>
  JSON.stringify({ n, ...more });
export const values = (from: number, to: number, bad: readonly number[] = []): string[] =>
  Array.from({ length: to - from }, (_, k) => value(from + k, bad.includes(from + k) ? { bad: true } : {}));

/** A receiver that refuses events marked `bad`, as real Splunk (prefix kept), as an emulator, or without saying which. */
export function receiver(kind: 'splunkd' | 'emulator' | 'silent' = 'splunkd') {
  const stored: number[] = [];
  const sizes: number[] = [];
  const held: (() => void)[] = [];
  const state = {
    fault: null as Fault | null,
    health: 200,
    probes: 0,
    hold: false,
    inFlight: 0,
    most: 0,
    maxEvents: Infinity,
  };
  const http: HttpPort = {
    async send(request) {
      if (request.method === 'GET') {
        state.probes += 1;
        return reply(state.health, '');
      }
      // Copied at once: what the runner does to its memory afterwards must not matter.
      const text = `[${(request.body as Buffer).toString().replaceAll('}{"time"', '},{"time"')}]`;
      const events = (JSON.parse(text) as { event: Event }[]).map(({ event }) => event);
      state.inFlight += 1;
      state.most = Math.max(state.most, state.inFlight);
      if (state.hold) await new Promise<void>((resolve) => held.push(resolve));
      state.inFlight -= 1;
      sizes.push(events.length);
      const fault = state.fault?.(events, request) ?? null;
      if (fault instanceof HttpFailure) throw fault;
      if (fault !== null) return fault;
      if (events.length > state.maxEvents) return reply(413, '<html>too large</html>');
      const bad = events.findIndex((event) => event.bad === true);
      if (bad < 0) {
        stored.push(...events.map(({ n }) => n));
        return reply(200, { text: 'Success', code: 0 }, { server: 'Splunkd' });
      }
      if (kind === 'splunkd') stored.push(...events.slice(0, bad).map(({ n }) => n));
      return reply(
        400,
        {
          text: 'Invalid data format',
          code: 6,
          ...(kind === 'silent' ? {} : { 'invalid-event-number': bad }),
        },
        kind === 'splunkd' ? { server: 'Splunkd' } : {},
      );
    },
  };
  const release = (): void => {
    for (const resolve of held.splice(0)) resolve();
  };
  return { http, state, stored, sizes, held, release };
}

export interface Setup<Target> {
  /** The receiver; a HEC one without it. Others need a `wire` of theirs. */
  readonly target?: Target;
  readonly limits?: Partial<BatchLimits>;
  readonly filters?: SinkFilters;
  readonly decode?: DecodeValue;
  readonly params?: Record<string, unknown>;
  readonly box?: (records: readonly OutRecord[]) => Promise<void>;
  readonly wire?: Partial<HttpExchange>;
}

export function setup<Target extends { readonly http: HttpPort } = ReturnType<typeof receiver>>(
  options: Setup<Target> = {},
) {
  const target = options.target ?? (receiver() as unknown as Target);
  const clock = fakeClock();
  const metrics = fakeMetrics();
  const logger = fakeLogger();
  const letters: OutRecord[] = [];
  const runner = createSinkRunner({
    id: 'soc',
    wire: overHttp({ ...splunkHec.open({ ...options.params }, contractConnection), ...options.wire }),
    limits: { ...defaultBatch, ...options.limits },
    filter: compileBytesFilter(options.filters),
    decode: options.decode ?? createSinkDecode(null),
    ports: { http: target.http },
    letters: {
      async send(records) {
        await options.box?.(records);
        // As the log does: what is acknowledged was copied, and the record batch may be gone afterwards.
        letters.push(
          ...records.map((record) => ({ ...record, value: copyOf(record.value), key: copyOf(record.key) })),
        );
      },
    },
    clock,
    random: () => 0.5,
    metrics,
    logger,
  });
  const onBatch = runner.handler.onBatch.bind(runner.handler);
  const letterOf = (index: number): Record<string, string> =>
    Object.fromEntries((letters[index]?.headers ?? []).map(([name, content]) => [name, String(content)]));
  return { target, clock, metrics, logger, letters, letterOf, runner, onBatch };
}

const copyOf = (bytes: Buffer | string | null): Buffer | string | null =>
  Buffer.isBuffer(bytes) ? Buffer.from(bytes) : bytes;

export const sorted = (numbers: readonly number[]): number[] => [...numbers].sort((a, b) => a - b);
export const range = (from: number, to: number): number[] =>
  Array.from({ length: to - from }, (_, k) => from + k);
