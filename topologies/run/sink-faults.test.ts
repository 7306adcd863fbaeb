// Bad settings pause the sink and lose nothing; bad events go alone to the dead letters.
import { describe, expect, it } from 'vitest';
import { assignmentOf, batchOf } from '../testing/batches.ts';
import { badToken, busy, range, receiver, reply, setup, sorted, value, values } from '../testing/sink-kit.ts';

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

it('H09: busy is tried again later, the bad event 10 is a letter and the rest is sent, a refused token pauses', async () => {
  const { target, clock, onBatch, letters, letterOf, runner } = setup();
  target.state.fault = () => busy;
  const assignment = assignmentOf();
  await onBatch(batchOf(values(0, 20, [10])), assignment);
  await clock.advance(60_000);
  // Later and later, and nobody is blamed.
  expect(target.sizes.length).toBeGreaterThan(1);
  expect(target.sizes.length).toBeLessThan(60);
  expect([assignment.completed, letters, runner.paused()]).toEqual([[], [], null]);
  target.state.fault = null;
  await clock.advance(120_000);
  expect(sorted(target.stored)).toEqual(range(0, 20).filter((n) => n !== 10));
  expect(letters.map((_, k) => [letterOf(k)['x-dlq-reason'], letterOf(k)['x-dlq-source']])).toEqual([
    ['hec_6', 'findings.v1/0/10'],
  ]);
  expect(assignment.watermark()).toBe(20);
  target.state.fault = () => badToken;
  await onBatch(batchOf(values(20, 25), { offset: 20 }), assignment);
  await clock.advance(1_000);
  expect(runner.paused()).toMatchObject({ code: 'hec_4' });
  expect(letters).toHaveLength(1);
  target.state.fault = null;
  await clock.advance(60_000);
  expect(sorted(target.stored)).toEqual(range(0, 25).filter((n) => n !== 10));
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
