// Receivers that answer for each event: what is refused goes alone, what was rejected is sent again alone, a wrong setting pauses.
import { describe, expect, it } from 'vitest';
import { HttpFailure } from '../ports/http.ts';
import { contractConnection } from '../sinks/contract.ts';
import { elasticsearch } from '../sinks/elasticsearch/sink.ts';
import { assignmentOf, batchOf } from '../testing/batches.ts';
import { bulkReceiver, json, rejected } from '../testing/bulk-receiver.ts';
import { range, type Setup, setup, values } from '../testing/sink-kit.ts';

function bulk(options: Setup<ReturnType<typeof bulkReceiver>> & { open?: Record<string, unknown> } = {}) {
  return setup({
    target: bulkReceiver(),
    wire: elasticsearch.open(options.open ?? {}, contractConnection),
    ...options,
  });
}

describe('an outcome for each event', () => {
  it('stores all and sends nothing twice', async () => {
    const { target, clock, onBatch, metrics } = bulk({ limits: { maxEvents: 300 } });
    const assignment = assignmentOf();
    await onBatch(batchOf(values(0, 1000)), assignment);
    await clock.advance(1000);
    expect(target.stored()).toEqual(range(0, 1000));
    expect(target.requests.map(({ events }) => events).reduce((a, b) => a + b)).toBe(1000);
    expect(assignment.watermark()).toBe(1000);
    expect(metrics.total('tocsin_sink_events_total', { outcome: 'delivered' })).toBe(1000);
  });

  it('H07: of 500 items 3 rejected, 1 refused, 1 there already: 3 sent again, 1 dead letter', async () => {
    const { target, clock, onBatch, letters, letterOf, metrics } = bulk();
    await onBatch(batchOf(values(7, 8), { offset: 7 }), assignmentOf());
    await clock.advance(0);
    target.state.item = ({ n }, attempt) => ([3, 4, 400].includes(n) && attempt === 1 ? rejected : null);
    const assignment = assignmentOf();
    await onBatch(batchOf(values(0, 500, [90])), assignment);
    await clock.advance(10);
    expect(assignment.completed).toEqual([]);
    await clock.advance(1000);
    expect(target.requests.map(({ events }) => events)).toEqual([1, 500, 3]);
    expect(target.stored()).toEqual(range(0, 500).filter((n) => n !== 90));
    expect(letters).toHaveLength(1);
    expect(letterOf(0)).toMatchObject({
      'x-dlq-class': 'sink',
      'x-dlq-reason': 'es_mapper_parsing_exception',
      'x-dlq-source': 'findings.v1/0/90',
    });
    expect(assignment.watermark()).toBe(500);
    expect(metrics.total('tocsin_sink_events_total', { outcome: 'repeated' })).toBe(1);
    expect(metrics.total('tocsin_sink_events_total', { outcome: 'delivered' })).toBe(500);
  });

  it('a storm of 429 on every other item loses nothing and backs off', async () => {
    const { target, clock, onBatch, letters } = bulk({ limits: { maxEvents: 400 } });
    target.state.item = ({ n }, attempt) => (n % 2 === 0 && attempt < 6 ? rejected : null);
    const assignment = assignmentOf();
    await onBatch(batchOf(values(0, 400)), assignment);
    await clock.advance(120_000);
    expect(target.stored()).toEqual(range(0, 400));
    expect(target.requests.map(({ events }) => events)).toEqual([400, 200, 200, 200, 200, 200]);
    expect(letters).toEqual([]);
    expect(assignment.watermark()).toBe(400);
  });

  it.each([
    ['a missing index', { status: 404, type: 'index_not_found_exception' }],
    ['a key without the right', { status: 403, type: 'security_exception' }],
    ['a full disk', { status: 403, type: 'cluster_block_exception' }],
  ])(
    '%s for half of the items pauses, keeps what was stored, and goes on with the rest',
    async (_, error) => {
      const { target, clock, onBatch, letters, runner } = bulk();
      target.state.item = ({ n }) => (n >= 50 ? error : null);
      const assignment = assignmentOf();
      await onBatch(batchOf(values(0, 100)), assignment);
      await clock.advance(60_000);
      expect(runner.paused()).toMatchObject({ code: `es_${error.type}` });
      expect(target.state.probes).toBeGreaterThan(1);
      expect(assignment.completed).toEqual([]);
      expect(new Set(target.requests.slice(1).map(({ events }) => events))).toEqual(new Set([50]));
      target.state.item = null;
      await clock.advance(60_000);
      expect(target.stored()).toEqual(range(0, 100));
      expect(target.state.conflicts).toBe(0);
      expect(letters).toEqual([]);
      expect(assignment.watermark()).toBe(100);
      expect(runner.paused()).toBeNull();
    },
  );

  it('a mapping that refuses everything is a setting, not 1000 bad events', async () => {
    const { target, clock, onBatch, letters, runner } = bulk();
    const assignment = assignmentOf();
    await onBatch(batchOf(values(0, 1000, range(0, 1000))), assignment);
    await clock.advance(600_000);
    expect(letters).toEqual([]);
    expect(runner.paused()).toMatchObject({ code: 'too_many_event_faults' });
    // The mapping is mended.
    const store = target.documents;
    target.state.fault = (events) => {
      for (const n of range(0, events)) store.set(`mended ${n}`, { source: { n }, version: 1 });
      return json(200, { errors: false, items: range(0, events).map(() => ({ create: { status: 201 } })) });
    };
    await clock.advance(600_000);
    expect(letters).toEqual([]);
    expect(assignment.watermark()).toBe(1000);
  });

  it('fifty refused events among good ones are fifty bad events', async () => {
    const { target, clock, onBatch, letters, runner } = bulk();
    const bad = range(0, 50).map((k) => k * 10);
    const assignment = assignmentOf();
    await onBatch(batchOf(values(0, 1000, bad)), assignment);
    await clock.advance(1000);
    expect(letters).toHaveLength(50);
    expect(runner.paused()).toBeNull();
    expect(target.stored()).toHaveLength(950);
    expect(target.requests).toHaveLength(1);
    expect(assignment.watermark()).toBe(1000);
  });
});

describe('answers that say nothing', () => {
  it.each<[string, (body: Buffer) => Partial<{ body: Buffer; truncated: boolean }>]>([
    ['cut off', (body) => ({ body: body.subarray(0, body.length / 2) })],
    ['cut off by its limit', (body) => ({ body: body.subarray(0, 20), truncated: true })],
    ['a login page', () => ({ body: Buffer.from('<html>Sign in</html>') })],
    [
      'one item too few',
      () => ({ body: Buffer.from('{"errors":false,"items":[{"create":{"status":201}}]}') }),
    ],
    ['without items', () => ({ body: Buffer.from('{"errors":false}') })],
  ])('%s: sent again, stored once', async (_, broken) => {
    const { target, clock, onBatch, metrics, letters } = bulk();
    let answers = 0;
    target.state.answer = (response) =>
      answers++ === 0 ? { ...response, ...broken(response.body) } : response;
    const assignment = assignmentOf();
    await onBatch(batchOf(values(0, 20)), assignment);
    await clock.advance(0);
    expect(assignment.completed).toEqual([]);
    await clock.advance(10_000);
    expect(target.requests.map(({ events }) => events)).toEqual([20, 20]);
    expect(target.stored()).toEqual(range(0, 20));
    expect(assignment.watermark()).toBe(20);
    expect(letters).toEqual([]);
    expect(metrics.total('tocsin_sink_events_total', { outcome: 'repeated' })).toBe(20);
  });

  it('an answer that was lost', async () => {
    const { target, clock, onBatch } = bulk();
    let lost = true;
    target.state.answer = (response) => {
      if (!lost) return response;
      lost = false;
      throw new HttpFailure('reset', 'connection reset', { sent: true });
    };
    const assignment = assignmentOf();
    await onBatch(batchOf(values(0, 20)), assignment);
    await clock.advance(10_000);
    expect(target.stored()).toEqual(range(0, 20));
    expect(target.state.conflicts).toBe(20);
    expect(assignment.watermark()).toBe(20);
  });
});

describe('whole requests', () => {
  it('413 halves', async () => {
    const { target, clock, onBatch, letters } = bulk();
    target.state.fault = (events) => (events > 30 ? json(413, {}) : null);
    const assignment = assignmentOf();
    await onBatch(batchOf(values(0, 100)), assignment);
    await clock.advance(1000);
    expect(target.stored()).toEqual(range(0, 100));
    expect(letters).toEqual([]);
    expect(assignment.watermark()).toBe(100);
  });

  it('a request refused for one of its events is halved until that one is alone', async () => {
    const { target, clock, onBatch, letters } = bulk();
    target.state.fault = (_, { body }) =>
      (body as Buffer).includes('"n":77,') || (body as Buffer).includes('"n":77}')
        ? json(400, { error: { type: 'action_request_validation_exception', reason: 'id is too long' } })
        : null;
    const assignment = assignmentOf();
    await onBatch(batchOf(values(0, 100)), assignment);
    await clock.advance(1000);
    expect(target.stored()).toEqual(range(0, 100).filter((n) => n !== 77));
    expect(letters).toHaveLength(1);
    expect(assignment.watermark()).toBe(100);
  });

  it.each([401, 403])('%i pauses; nothing lost, resumed by itself', async (status) => {
    const { target, clock, onBatch, letters, runner } = bulk();
    target.state.fault = () => json(status, { error: { type: 'security_exception' } });
    // A key that may only write is refused at the probe, too, and must not stay locked out for that.
    target.state.probe = 403;
    const assignment = assignmentOf();
    await onBatch(batchOf(values(0, 10)), assignment);
    await clock.advance(120_000);
    expect(runner.paused()).toMatchObject({ code: 'es_security_exception' });
    target.state.fault = null;
    await clock.advance(60_000);
    expect(target.stored()).toEqual(range(0, 10));
    expect(letters).toEqual([]);
    expect(runner.paused()).toBeNull();
  });
});

describe('documents that are replaced', () => {
  it('hold the latest event whatever the order of the requests', async () => {
    const { target, clock, onBatch } = bulk({
      limits: { maxEvents: 2, inFlight: 4 },
      open: { mode: 'update', id_field: 'key' },
    });
    const texts = range(0, 12).map((n) => JSON.stringify({ n, key: `k${n % 3}` }));
    // The first request fails until all others are through.
    let fails = 2;
    target.state.fault = (_, { body }) =>
      (body as Buffer).includes('"n":0,') && fails-- > 0 ? json(503, {}) : null;
    const assignment = assignmentOf();
    await onBatch(batchOf(texts), assignment);
    await clock.advance(60_000);
    expect(target.stored()).toEqual([9, 10, 11]);
    expect(target.state.conflicts).toBeGreaterThan(0);
    expect(assignment.watermark()).toBe(12);
  });
});
