// The sink runner over a receiver in memory that stores events as Splunk does, driven with hand-made batches and a clock that
// stands still: what is stored, what is dead-lettered, and how far offsets complete.
import { describe, expect, it } from 'vitest';
import { type BatchLimits, defaultBatch } from '../domain/sink/batch.ts';
import type { SinkWire } from '../domain/sink/define-sink.ts';
import { compileFilter, type SinkFilters } from '../domain/sink/filter.ts';
import { fakeClock } from '../ports/fakes/clock.ts';
import { fakeLogger } from '../ports/fakes/logger.ts';
import { fakeMetrics } from '../ports/fakes/metrics.ts';
import { HttpFailure, type HttpPort, type HttpRequest, type HttpResponse } from '../ports/http.ts';
import type { OutRecord } from '../ports/log.ts';
import { contractConnection } from '../sinks/contract.ts';
import { splunkHec } from '../sinks/splunk-hec/sink.ts';
import { assignmentOf, batchOf } from '../testing/batches.ts';
import { createSinkRunner } from './sink.ts';
import { createSinkDecode } from './sink-decode.ts';
import type { DecodeValue } from './sink-fill.ts';

interface Event {
  readonly n: number;
  readonly bad?: boolean;
}

type Fault = (events: readonly Event[], request: HttpRequest) => HttpResponse | HttpFailure | null;

const reply = (status: number, body: unknown, headers: Record<string, string> = {}): HttpResponse => ({
  status,
  headers,
  body: Buffer.from(typeof body === 'string' ? body : JSON.stringify(body)),
  truncated: false,
});
const busy = reply(503, { text: 'Server is busy', code: 9 });
const badToken = reply(403, { text: 'Invalid token', code: 4 });
const value = (n: number, more: Record<string, unknown> = {}): string => JSON.stringify({ n, ...more });
const values = (from: number, to: number, bad: readonly number[] = []): string[] =>
  Array.from({ length: to - from }, (_, k) => value(from + k, bad.includes(from + k) ? { bad: true } : {}));

/** A receiver that refuses events marked `bad`, as real Splunk (prefix kept), as an emulator, or without saying which. */
function receiver(kind: 'splunkd' | 'emulator' | 'silent' = 'splunkd') {
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

interface Setup {
  readonly target?: ReturnType<typeof receiver>;
  readonly limits?: Partial<BatchLimits>;
  readonly filters?: SinkFilters;
  readonly decode?: DecodeValue;
  readonly params?: Record<string, unknown>;
  readonly box?: (records: readonly OutRecord[]) => Promise<void>;
  readonly wire?: Partial<SinkWire>;
}

function setup(options: Setup = {}) {
  const target = options.target ?? receiver();
  const clock = fakeClock();
  const metrics = fakeMetrics();
  const logger = fakeLogger();
  const letters: OutRecord[] = [];
  const runner = createSinkRunner({
    id: 'soc',
    wire: { ...splunkHec.open({ ...options.params }, contractConnection), ...options.wire },
    limits: { ...defaultBatch, ...options.limits },
    filter: compileFilter(options.filters),
    decode: options.decode ?? createSinkDecode(null),
    http: target.http,
    letters: {
      async send(records) {
        await options.box?.(records);
        letters.push(...records);
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

const sorted = (numbers: readonly number[]): number[] => [...numbers].sort((a, b) => a - b);
const range = (from: number, to: number): number[] => Array.from({ length: to - from }, (_, k) => from + k);

describe('delivery', () => {
  it('stores every event and completes every offset, gaps included', async () => {
    const { target, clock, onBatch, metrics } = setup();
    const assignment = assignmentOf();
    await onBatch(batchOf(values(0, 3), { offsets: [10, 12, 17], nextOffset: 20 }), assignment);
    await clock.advance(0);
    expect(target.stored).toEqual([0, 1, 2]);
    expect(assignment.watermark(10)).toBe(20);
    expect(metrics.total('tocsin_sink_events_total', { sink: 'soc', outcome: 'delivered' })).toBe(3);
    expect(metrics.value('tocsin_sink_in_flight', { sink: 'soc' })).toBe(0);
  });

  it('completes nothing before the answer', async () => {
    const { target, clock, onBatch } = setup();
    target.state.hold = true;
    const assignment = assignmentOf();
    await onBatch(batchOf(values(0, 5)), assignment);
    await clock.advance(1000);
    expect(assignment.completed).toEqual([]);
    target.release();
    await clock.advance(0);
    expect(assignment.watermark()).toBe(5);
  });

  it('cuts batches by events and by bytes', async () => {
    const { target, clock, onBatch } = setup({ limits: { maxEvents: 4 } });
    await onBatch(batchOf(values(0, 10)), assignmentOf());
    await clock.advance(1000);
    expect(target.sizes).toEqual([4, 4, 2]);

    const small = setup({ limits: { maxBytes: 2048 }, wire: {} });
    const assignment = assignmentOf();
    await small.onBatch(batchOf(values(0, 100)), assignment);
    await small.clock.advance(1000);
    expect(sorted(small.target.stored)).toEqual(range(0, 100));
    expect(Math.max(...small.target.sizes)).toBeGreaterThan(5);
    expect(Math.max(...small.target.sizes) * 60).toBeLessThan(2048);
    expect(assignment.watermark()).toBe(100);
  });

  it('keeps several requests of one partition in flight and commits contiguously when they finish out of order', async () => {
    const { target, clock, onBatch } = setup({ limits: { maxEvents: 2, inFlight: 3 } });
    target.state.hold = true;
    const assignment = assignmentOf();
    await onBatch(batchOf(values(0, 6)), assignment);
    await clock.advance(0);
    expect(target.state.most).toBe(3);
    target.held.pop()!();
    await clock.advance(0);
    expect(assignment.completed).toEqual([[4, 6]]);
    expect(assignment.watermark()).toBe(0);
    target.release();
    await clock.advance(0);
    expect(assignment.watermark()).toBe(6);
  });

  it('waits for company only while something is in flight', async () => {
    const { target, clock, onBatch } = setup({ limits: { lingerMs: 100 } });
    target.state.hold = true;
    await onBatch(batchOf(values(0, 1)), assignmentOf());
    await clock.advance(0);
    expect(target.state.inFlight).toBe(1);
    await onBatch(batchOf(values(1, 2), { offset: 1 }), assignmentOf());
    await onBatch(batchOf(values(2, 3), { partition: 1 }), assignmentOf({ partition: 1 }));
    await clock.advance(99);
    expect(target.state.inFlight).toBe(1);
    await clock.advance(1);
    expect(target.state.inFlight).toBe(2);
    target.release();
    await clock.advance(0);
    expect(target.sizes).toEqual([1, 2]);
  });

  it('loses nothing when partitions fill the same batches at the same time', async () => {
    const { target, clock, onBatch } = setup({ limits: { maxEvents: 7, inFlight: 2 } });
    const partitions = [0, 1, 2, 3].map((partition) => assignmentOf({ partition }));
    const fills = partitions.map(async (assignment, partition) => {
      for (let batch = 0; batch < 5; batch++) {
        const first = partition * 1000 + batch * 50;
        await onBatch(batchOf(values(first, first + 50), { partition, offset: batch * 50 }), assignment);
      }
    });
    await clock.advance(1000);
    await Promise.all(fills);
    await clock.advance(1000);
    expect(sorted(target.stored)).toEqual(
      [0, 1, 2, 3].flatMap((partition) => range(partition * 1000, partition * 1000 + 250)),
    );
    for (const assignment of partitions) expect(assignment.watermark()).toBe(250);
  });

  it('holds a partition back instead of growing: memory is the slabs', async () => {
    const { target, clock, onBatch } = setup({ limits: { maxEvents: 2, inFlight: 2 } });
    target.state.hold = true;
    const assignment = assignmentOf();
    let resolved = false;
    const pending = onBatch(batchOf(values(0, 20)), assignment).then(() => {
      resolved = true;
    });
    await clock.advance(60_000);
    expect(resolved).toBe(false);
    expect(target.state.most).toBe(2);
    while (!resolved) {
      target.release();
      await clock.advance(0);
    }
    await pending;
    target.state.hold = false;
    target.release();
    await clock.advance(1000);
    expect(target.state.most).toBe(2);
    expect(sorted(target.stored)).toEqual(range(0, 20));
    expect(assignment.watermark()).toBe(20);
  });
});

describe('transient failures', () => {
  it.each<[string, HttpResponse | HttpFailure]>([
    ['503', busy],
    ['500 HTML', reply(500, '<html></html>')],
    ['429', reply(429, '')],
    ['login page', reply(200, '<html></html>')],
    ['reset', new HttpFailure('reset', 'other side closed', { sent: true })],
    ['timeout', new HttpFailure('timeout', 'no answer', { sent: true })],
    ['refused', new HttpFailure('connect', 'ECONNREFUSED', { sent: false })],
  ])('%s: the same events again until they are stored, none lost, none dead-lettered', async (_, answer) => {
    const { target, clock, onBatch, letters, metrics } = setup();
    const assignment = assignmentOf();
    target.state.fault = () => answer;
    await onBatch(batchOf(values(0, 100)), assignment);
    await clock.advance(3_600_000);
    expect(assignment.completed).toEqual([]);
    target.state.fault = null;
    await clock.advance(30_000);
    expect(target.stored).toEqual(range(0, 100));
    expect(assignment.watermark()).toBe(100);
    expect(letters).toEqual([]);
    expect(metrics.value('tocsin_sink_oldest_uncommitted_seconds', { sink: 'soc' })).toBe(0);
  });

  it('waits 0.5 s doubled up to 30 s, with jitter', async () => {
    const { target, clock, onBatch } = setup();
    const times: number[] = [];
    target.state.fault = () => {
      times.push(clock.now());
      return busy;
    };
    await onBatch(batchOf(values(0, 1)), assignmentOf());
    await clock.advance(120_000);
    expect(times.slice(1, 10).map((time, k) => time - times[k]!)).toEqual([
      250, 500, 1000, 2000, 4000, 8000, 15_000, 15_000, 15_000,
    ]);
  });

  it('keeps to Retry-After', async () => {
    const { target, clock, onBatch } = setup();
    target.state.fault = () => reply(429, '', { 'retry-after': '120' });
    await onBatch(batchOf(values(0, 1)), assignmentOf());
    await clock.advance(119_000);
    expect(target.sizes).toHaveLength(1);
    await clock.advance(20_000);
    expect(target.sizes).toHaveLength(2);
  });

  it('sends only the rest after "busy" with a number from real Splunk', async () => {
    const { target, clock, onBatch } = setup();
    let first = true;
    target.state.fault = (events) => {
      if (!first) return null;
      first = false;
      target.stored.push(...events.slice(0, 4).map(({ n }) => n));
      return reply(
        503,
        { text: 'Server is busy', code: 9, 'invalid-event-number': 4 },
        { server: 'Splunkd' },
      );
    };
    const assignment = assignmentOf();
    await onBatch(batchOf(values(0, 10)), assignment);
    await clock.advance(10_000);
    expect(target.stored).toEqual(range(0, 10));
    expect(assignment.watermark()).toBe(10);
  });

  it('sends fewer at a time when told to slow down', async () => {
    const { target, clock, onBatch } = setup({ limits: { maxEvents: 1, inFlight: 4, lingerMs: 0 } });
    target.state.fault = (events) => {
      target.stored.push(...events.map(({ n }) => n));
      return reply(200, { text: 'x', code: 24 });
    };
    await onBatch(batchOf(values(0, 12)), assignmentOf());
    await clock.advance(0);
    target.state.most = 0;
    target.state.hold = true;
    await onBatch(batchOf(values(12, 15), { offset: 12 }), assignmentOf());
    await clock.advance(0);
    expect(target.state.most).toBe(1);
    for (let k = 0; k < 5; k++) {
      target.release();
      await clock.advance(0);
    }
    expect(sorted(target.stored)).toEqual(range(0, 15));
  });
});

describe('sink faults', () => {
  it('pauses on a refused token: one prober, nothing lost, nothing dead-lettered, resumed by itself', async () => {
    const { target, clock, onBatch, letters, metrics, logger, runner } = setup({
      limits: { maxEvents: 5, inFlight: 3 },
    });
    target.state.fault = () => badToken;
    const assignment = assignmentOf();
    await onBatch(batchOf(values(0, 20)), assignment);
    await clock.advance(0);
    expect(runner.paused()).toMatchObject({ code: 'hec_4' });
    expect(metrics.value('tocsin_sink_paused', { sink: 'soc' })).toBe(1);
    const before = target.sizes.length;
    await clock.advance(3_600_000);
    // One request at a time, at most every half a minute of backoff.
    expect(target.sizes.length - before).toBeLessThan(3_600 / 20);
    expect(target.state.probes).toBeGreaterThan(100);
    expect(assignment.completed).toEqual([]);
    target.state.fault = null;
    await clock.advance(60_000);
    expect(sorted(target.stored)).toEqual(range(0, 20));
    expect(assignment.watermark()).toBe(20);
    expect(letters).toEqual([]);
    expect(runner.paused()).toBeNull();
    expect(metrics.value('tocsin_sink_paused', { sink: 'soc' })).toBe(0);
    expect(logger.entries.filter(({ level }) => level === 'error')).toHaveLength(1);
  });

  it('sends no events while the health endpoint is down', async () => {
    const { target, clock, onBatch } = setup();
    target.state.fault = () => badToken;
    target.state.health = 503;
    await onBatch(batchOf(values(0, 3)), assignmentOf());
    await clock.advance(600_000);
    expect(target.sizes).toHaveLength(1);
    expect(target.state.probes).toBeGreaterThan(10);
    target.state.fault = null;
    target.state.health = 200;
    await clock.advance(60_000);
    expect(target.stored).toEqual([0, 1, 2]);
  });

  it('a wrong index pauses with an empty dead-letter topic', async () => {
    const { target, clock, onBatch, letters, runner } = setup();
    target.state.fault = () =>
      reply(400, { text: 'Incorrect index', code: 7, 'invalid-event-number': 0 }, { server: 'Splunkd' });
    await onBatch(batchOf(values(0, 1000)), assignmentOf());
    await clock.advance(600_000);
    expect(letters).toEqual([]);
    expect(runner.paused()).toMatchObject({ code: 'hec_7' });
  });

  it.each(['splunkd', 'emulator', 'silent'] as const)(
    'every event refused (%s): a setting, not 1000 bad events',
    async (kind) => {
      const { target, clock, onBatch, letters, runner } = setup({ target: receiver(kind) });
      const assignment = assignmentOf();
      await onBatch(batchOf(values(0, 1000, range(0, 1000))), assignment);
      await clock.advance(600_000);
      expect(letters).toEqual([]);
      expect(runner.paused()).toMatchObject({ code: 'too_many_event_faults' });
      target.state.fault = (events) => {
        target.stored.push(...events.map(({ n }) => n));
        return reply(200, { text: 'Success', code: 0 });
      };
      await clock.advance(600_000);
      expect(sorted(target.stored)).toEqual(range(0, 1000));
      expect(assignment.watermark()).toBe(1000);
      expect(letters).toEqual([]);
    },
  );

  it('a defect in the sink stands still instead of losing', async () => {
    const { clock, onBatch, runner, letters } = setup({
      wire: {
        judge() {
          throw new TypeError('broken');
        },
      },
    });
    const assignment = assignmentOf();
    await onBatch(batchOf(values(0, 3)), assignment);
    await clock.advance(60_000);
    expect(runner.paused()).toEqual(expect.objectContaining({ code: 'bug', detail: 'broken' }));
    expect(assignment.completed).toEqual([]);
    expect(letters).toEqual([]);
  });
});

describe('bad events', () => {
  it.each([
    ['splunkd', 4],
    ['emulator', 6],
    ['silent', 1 + 2 * Math.ceil(Math.log2(10_000))],
  ] as const)(
    'one in 10,000 (%s): one dead letter, 9,999 stored, at most %i requests',
    async (kind, most) => {
      const { target, clock, onBatch, letters, letterOf } = setup({ target: receiver(kind) });
      const assignment = assignmentOf();
      const key = Buffer.from('asset-7');
      const batch = batchOf(values(0, 10_000, [7_777]), {
        offset: 50,
        key,
        headers: [['trace', Buffer.from('t-1')]],
      });
      await onBatch(batch, assignment);
      await clock.advance(1000);
      expect(sorted(target.stored)).toEqual(range(0, 10_000).filter((n) => n !== 7_777));
      expect(assignment.watermark(50)).toBe(10_050);
      expect(letters).toHaveLength(1);
      expect(letters[0]).toMatchObject({
        topic: 'dead-letters.v1',
        key,
        value: Buffer.from(value(7_777, { bad: true })),
      });
      expect(letterOf(0)).toMatchObject({
        'x-dlq-class': 'sink',
        'x-dlq-reason': 'hec_6',
        'x-dlq-source': 'findings.v1/0/7827',
        'x-dlq-service': 'sinks/soc',
        'x-orig-trace': 't-1',
      });
      // 10,000 small events are one batch by events and by bytes.
      expect(target.sizes.length).toBeLessThanOrEqual(most);
    },
  );

  it('several bad events in one batch each go alone', async () => {
    for (const kind of ['splunkd', 'emulator', 'silent'] as const) {
      const { target, clock, onBatch, letterOf, letters } = setup({ target: receiver(kind) });
      const assignment = assignmentOf();
      await onBatch(batchOf(values(0, 100, [0, 1, 50, 99])), assignment);
      await clock.advance(1000);
      expect(sorted(target.stored)).toEqual(range(0, 100).filter((n) => ![0, 1, 50, 99].includes(n)));
      expect(letters.map((_, k) => letterOf(k)['x-dlq-source'])).toEqual(
        ['0', '1', '50', '99'].map((n) => `findings.v1/0/${n}`),
      );
      expect(assignment.watermark()).toBe(100);
    }
  });

  it('the offset completes only when the dead letter is acknowledged', async () => {
    let acknowledge = (): void => undefined;
    let attempts = 0;
    const box = (): Promise<void> => {
      attempts += 1;
      if (attempts === 1) return Promise.reject(new Error('no broker'));
      return new Promise((resolve) => {
        acknowledge = resolve;
      });
    };
    const { clock, onBatch, target } = setup({ box });
    const assignment = assignmentOf();
    await onBatch(batchOf(values(0, 3, [1])), assignment);
    await clock.advance(60_000);
    expect(target.stored).toEqual([0, 2]);
    expect(attempts).toBe(2);
    expect(assignment.completed).toEqual([]);
    acknowledge();
    await clock.advance(0);
    expect(assignment.watermark()).toBe(3);
  });

  it('413 halves, and a single event that is too large is dead-lettered', async () => {
    const target = receiver();
    target.state.maxEvents = 3;
    const { clock, onBatch, letters } = setup({ target });
    const assignment = assignmentOf();
    await onBatch(batchOf(values(0, 10)), assignment);
    await clock.advance(1000);
    expect(target.stored).toEqual(range(0, 10));
    expect(assignment.watermark()).toBe(10);
    expect(letters).toEqual([]);

    target.state.fault = (events) => (events.some(({ n }) => n === 12) ? reply(413, '<html>') : null);
    await onBatch(batchOf(values(10, 14), { offset: 10 }), assignment);
    await clock.advance(1000);
    expect(letters).toHaveLength(1);
    expect(sorted(target.stored)).toEqual(range(0, 14).filter((n) => n !== 12));
    expect(assignment.watermark()).toBe(14);
  });
});

describe('what never reaches the receiver', () => {
  const poison: [string, Buffer | string][] = [
    ['json_syntax', '{"n":1},{"event":{"n":666}}'],
    ['not_object', '1},{"event":"x"'],
    ['json_syntax', '{"severity":"crit'],
    ['utf8', Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d])],
    ['depth', `{"a":${'['.repeat(10_000)}${']'.repeat(10_000)}}`],
    ['empty', ''],
    ['not_object', 'null'],
    ['too_large', JSON.stringify({ a: 'x'.repeat(2_000_000) })],
    ['no_registry', Buffer.from([0, 0, 0, 0, 1, 7])],
    ['avro_frame', Buffer.from([0, 0, 1])],
  ];

  it.each(poison)('%s is dead-lettered with its bytes; its neighbours are stored', async (reason, bytes) => {
    const { target, clock, onBatch, letters, letterOf } = setup();
    const assignment = assignmentOf();
    await onBatch(batchOf([value(0), bytes, value(2)]), assignment);
    await clock.advance(1000);
    expect(target.stored).toEqual([0, 2]);
    expect(letters).toHaveLength(1);
    expect(letterOf(0)).toMatchObject({
      'x-dlq-class': 'input',
      'x-dlq-reason': reason,
      'x-dlq-source': 'findings.v1/0/1',
    });
    const kept = Buffer.from(bytes as string).subarray(0, reason === 'too_large' ? 64 * 1024 : undefined);
    expect(Buffer.compare(letters[0]!.value as Buffer, kept)).toBe(0);
    expect(assignment.watermark()).toBe(3);
  });

  it('a whole batch of poison completes, and the sink does not pause', async () => {
    const { clock, onBatch, letters, runner } = setup();
    const assignment = assignmentOf();
    await onBatch(batchOf(Array.from({ length: 1000 }, () => '{')), assignment);
    await clock.advance(0);
    expect(letters).toHaveLength(1000);
    expect(assignment.watermark()).toBe(1000);
    expect(runner.paused()).toBeNull();
  });

  it('null values are counted and complete; so do filtered events', async () => {
    const { target, clock, onBatch, metrics, letters } = setup({ filters: { events: ['keep'] } });
    const assignment = assignmentOf();
    const drop = value(9, { event: 'drop' });
    await onBatch(batchOf([null, drop, value(2, { event: 'keep' }), drop, null, drop]), assignment);
    await clock.advance(0);
    expect(target.stored).toEqual([2]);
    expect(assignment.watermark()).toBe(6);
    expect(letters).toEqual([]);
    const count = (outcome: string): number => metrics.total('tocsin_sink_events_total', { outcome });
    expect([count('tombstone'), count('filtered'), count('delivered')]).toEqual([2, 3, 1]);
    await onBatch(batchOf([drop, null, '{', drop], { offset: 6 }), assignment);
    expect(assignment.watermark()).toBe(10);
  });

  it('an empty batch changes nothing', async () => {
    const { onBatch, target } = setup();
    const assignment = assignmentOf();
    await onBatch(batchOf([], { offset: 5 }), assignment);
    expect(assignment.completed).toEqual([]);
    expect(target.sizes).toEqual([]);
  });

  it('a byte order mark is left out', async () => {
    const { target, clock, onBatch } = setup();
    await onBatch(batchOf([`\ufeff${value(1)}`, value(2)]), assignmentOf());
    await clock.advance(0);
    expect(target.stored).toEqual([1, 2]);
  });
});

describe('Avro', () => {
  const framed = (n: number): Buffer => Buffer.from([0, 0, 0, 0, 1, n]);

  it('is decoded and stored; what cannot be decoded is dead-lettered with its original bytes', async () => {
    const decode: DecodeValue = async (_, bytes) =>
      bytes[5] === 3 ? { reason: 'avro_decode', detail: 'truncated' } : Buffer.from(value(bytes[5]!));
    const { target, clock, onBatch, letters, letterOf } = setup({ decode });
    const assignment = assignmentOf();
    await onBatch(batchOf([value(0), framed(1), framed(2), framed(3), value(4), framed(5)]), assignment);
    await clock.advance(1000);
    expect(sorted(target.stored)).toEqual([0, 1, 2, 4, 5]);
    expect(letters.map(({ value: bytes }) => bytes)).toEqual([framed(3)]);
    expect(letterOf(0)['x-dlq-reason']).toBe('avro_decode');
    expect(assignment.watermark()).toBe(6);
  });

  it('decoded text is checked like any other', async () => {
    const decode: DecodeValue = () => Buffer.from('{"n":1},{"event":"x"}');
    const { target, clock, onBatch, letters } = setup({ decode });
    await onBatch(batchOf([framed(1)]), assignmentOf());
    await clock.advance(0);
    expect(target.sizes).toEqual([]);
    expect(letters).toHaveLength(1);
  });

  it('text that grew too large is dead-lettered, not written past its memory', async () => {
    const decode: DecodeValue = () => Buffer.from(JSON.stringify({ a: 'x'.repeat(1_100_000) }));
    const { target, clock, onBatch, letterOf } = setup({ decode });
    await onBatch(batchOf([framed(1)]), assignmentOf());
    await clock.advance(0);
    expect(target.sizes).toEqual([]);
    expect(letterOf(0)['x-dlq-reason']).toBe('too_large');
  });

  it('a registry that is down holds the partition back and dead-letters nothing', async () => {
    let down = true;
    const decode: DecodeValue = async (_, bytes) => {
      if (down) throw new Error('ECONNREFUSED');
      return Buffer.from(value(bytes[5]!));
    };
    const { target, clock, onBatch, letters } = setup({ decode });
    const assignment = assignmentOf();
    const pending = onBatch(batchOf([value(0), framed(1), value(2)]), assignment);
    await clock.advance(60_000);
    expect(letters).toEqual([]);
    expect(assignment.watermark()).toBeLessThan(2);
    down = false;
    await clock.advance(1_000);
    await pending;
    await clock.advance(1_000);
    expect(sorted(target.stored)).toEqual([0, 1, 2]);
    expect(assignment.watermark()).toBe(3);
  });
});

describe('leaving', () => {
  it('a revoke waits for what is in flight, then takes nothing more', async () => {
    const { target, clock, onBatch, runner } = setup({ limits: { maxEvents: 2, inFlight: 1 } });
    target.state.hold = true;
    const assignment = assignmentOf();
    const pending = onBatch(batchOf(values(0, 20)), assignment);
    await clock.advance(0);
    assignment.revoke();
    let revoked = false;
    const leaving = Promise.resolve(runner.handler.onRevoked?.(assignment, 'revoked')).then(() => {
      revoked = true;
    });
    await clock.advance(100);
    expect(revoked).toBe(false);
    await pending;
    target.state.hold = false;
    target.release();
    await clock.advance(100);
    await leaving;
    expect(target.stored.length).toBeGreaterThan(0);
    expect(assignment.watermark()).toBe(target.stored.length);
    expect(target.stored.length).toBeLessThan(20);
  });

  it('a revoke during an outage does not wait for it, and frees the memory', async () => {
    const { target, clock, onBatch, runner } = setup({ limits: { maxEvents: 2, inFlight: 2 } });
    target.state.fault = () => badToken;
    const mine = assignmentOf();
    const pending = onBatch(batchOf(values(0, 20)), mine);
    await clock.advance(5_000);
    mine.revoke();
    const leaving = runner.handler.onRevoked?.(mine, 'revoked');
    await clock.advance(1_000);
    await leaving;
    await pending;
    expect(mine.completed).toEqual([]);
    target.state.fault = null;
    const other = assignmentOf({ partition: 1 });
    await onBatch(batchOf(values(100, 120), { partition: 1 }), other);
    await clock.advance(60_000);
    expect(sorted(target.stored.filter((n) => n >= 100))).toEqual(range(100, 120));
    expect(other.watermark()).toBe(20);
    expect(mine.completed).toEqual([]);
  });

  it('stop gives up retries at once and completes nothing of them', async () => {
    const { target, clock, onBatch, runner } = setup();
    target.state.fault = () => busy;
    const assignment = assignmentOf();
    await onBatch(batchOf(values(0, 3)), assignment);
    await clock.advance(5_000);
    assignment.revoke();
    await runner.stop();
    await runner.stop();
    expect(assignment.completed).toEqual([]);
    const requests = target.sizes.length;
    await clock.advance(600_000);
    expect(target.sizes).toHaveLength(requests);
  });

  it('a batch shared with a partition that stays is still delivered', async () => {
    const { target, clock, onBatch, runner } = setup();
    target.state.hold = true;
    await onBatch(batchOf(values(0, 1)), assignmentOf({ partition: 2 }));
    const leaves = assignmentOf();
    const stays = assignmentOf({ partition: 1 });
    await onBatch(batchOf(values(1, 3)), leaves);
    await onBatch(batchOf(values(10, 13), { partition: 1 }), stays);
    await clock.advance(1);
    leaves.revoke();
    const leaving = runner.handler.onRevoked?.(leaves, 'lost');
    target.state.fault = (() => {
      let first = true;
      return () => {
        if (!first) return null;
        first = false;
        return busy;
      };
    })();
    target.state.hold = false;
    target.release();
    await clock.advance(10_000);
    await leaving;
    expect(stays.watermark()).toBe(3);
    expect(sorted(target.stored)).toEqual(expect.arrayContaining([10, 11, 12]));
  });
});
