// The sink runner: what is stored, how far offsets complete, what happens while the receiver is down or partitions leave.
import { describe, expect, it } from 'vitest';
import { HttpFailure, type HttpResponse } from '../ports/http.ts';
import { assignmentOf, batchOf } from '../testing/batches.ts';
import { badToken, busy, range, reply, setup, sorted, values } from '../testing/sink-kit.ts';

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

  it('releases a batch once, when its last slab is done and not before', async () => {
    const { target, clock, onBatch } = setup({ limits: { maxEvents: 4, inFlight: 3 } });
    target.state.hold = true;
    const batch = batchOf(values(0, 10));
    const none = batchOf([null, null], { offset: 10 });
    const assignment = assignmentOf();
    await onBatch(batch, assignment);
    await onBatch(none, assignment);
    await clock.advance(1000);
    expect(none.releases).toBe(1);
    expect(target.held.length).toBe(3);
    target.held.pop()!();
    target.held.pop()!();
    await clock.advance(0);
    expect(batch.releases).toBe(0);
    target.release();
    await clock.advance(0);
    expect(batch.releases).toBe(1);
    expect(sorted(target.stored)).toEqual(range(0, 10));
  });

  it('releases batches that it gives up', async () => {
    const { target, clock, onBatch, runner } = setup({ limits: { maxEvents: 4, inFlight: 1 } });
    target.state.fault = () => busy;
    const batch = batchOf(values(0, 6));
    const assignment = assignmentOf();
    await onBatch(batch, assignment);
    await clock.advance(10);
    expect(batch.releases).toBe(0);
    assignment.revoke();
    await runner.handler.onRevoked?.(assignment, 'lost');
    await runner.stop();
    expect(batch.releases).toBe(1);
    expect(assignment.completed).toEqual([]);
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

it('offsets that cannot be decoded leave a dead letter before they count as read', async () => {
  const { letters, metrics, runner } = setup();
  const range = { topic: 'findings.v1', partition: 0, firstOffset: 5, nextOffset: 9, reason: 'checksum' };
  await runner.handler.onUnreadable?.(range, assignmentOf());
  const headers = Object.fromEntries((letters[0]?.headers ?? []).map(([name, text]) => [name, String(text)]));
  expect(headers).toMatchObject({ 'x-dlq-reason': 'unreadable', 'x-dlq-source': 'findings.v1/0/5' });
  expect(metrics.total('tocsin_sink_events_total', { outcome: 'dead_letter' })).toBe(1);
});
