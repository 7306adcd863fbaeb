// A look over the states: what is late is told and counted, a store that is away changes nothing.
import { expect, test } from 'vitest';
import { fakeClock } from '../../ports/fakes/clock.ts';
import { fakeFoldStore } from '../../ports/fakes/fold-store.ts';
import { fakeLogger } from '../../ports/fakes/logger.ts';
import { fakeMetrics } from '../../ports/fakes/metrics.ts';
import type { StateWrite } from '../../ports/fold-store.ts';
import { createLiveGauges } from '../playbooks/live-gauges.ts';
import { sweepRegularly } from './sweep.ts';

const start = 10_000_000;

async function setUp() {
  const clock = fakeClock(start);
  const store = fakeFoldStore();
  const logger = fakeLogger();
  const metrics = fakeMetrics();
  const stop = new AbortController();
  let partitions = [0, 1];
  let away = false;
  const put = async (partition: number, marks: Record<string, Partial<StateWrite>>): Promise<void> => {
    const place = { fold: 'runs', partition };
    const { offset } = await store.claim(place, 't', 0);
    const writes = Object.entries(marks).map(([key, mark]) => {
      const expected = store.stateOf(place, key)?.version ?? 0;
      return { key, expected, version: expected + 1, body: '1', keepUntil: null, ...mark };
    });
    const step = { from: offset, to: (offset ?? -1) + 1, now: 0, writes };
    expect(await store.advance(place, 't', step)).toEqual({ status: 'ok' });
  };
  void sweepRegularly({
    fold: 'runs',
    store: {
      overdue: (...given) => (away ? Promise.reject(new Error('away')) : store.overdue(...given)),
      tallies: (place) => store.tallies(place),
    },
    partitions: () => partitions,
    clock,
    logger,
    signal: stop.signal,
    report: createLiveGauges(metrics),
  });
  const gauges = () => ({
    stuck: metrics.value('tocsin_runs_stuck'),
    p: metrics.value('tocsin_runs_live', { playbook: 'p', status: 'running' }),
    q: metrics.value('tocsin_runs_live', { playbook: 'q', status: 'incident' }),
  });
  return {
    clock,
    logger,
    put,
    gauges,
    stop,
    own(owned: number[]) {
      partitions = owned;
    },
    leave(gone: boolean) {
      away = gone;
    },
  };
}

test('every minute: stuck is what is late by five, live is counted over the partitions', async () => {
  const { clock, put, gauges, logger, own, leave, stop } = await setUp();
  await put(0, {
    a: { expectBy: start - 1, tally: 'p/running' },
    b: { expectBy: start + 3_600_000, tally: 'p/running' },
  });
  await put(1, { c: { expectBy: start + 60_000, tally: 'p/running' }, d: { tally: 'q/incident' } });
  await clock.advance(60_000);
  expect(gauges()).toEqual({ stuck: 0, p: 3, q: 1 });
  await clock.advance(4 * 60_000);
  expect(gauges()).toEqual({ stuck: 1, p: 3, q: 1 });
  expect(logger.entries.at(-1)).toMatchObject({
    level: 'error',
    fields: { partition: 0, key: 'a', fold: 'runs' },
  });
  await clock.advance(2 * 60_000);
  expect(gauges()).toMatchObject({ stuck: 2 });
  // What nobody counts any more is told as none; a store that is away leaves what was told.
  await put(1, { c: {}, d: {} });
  await put(0, { a: {} });
  leave(true);
  await clock.advance(60_000);
  expect(gauges()).toEqual({ stuck: 2, p: 3, q: 1 });
  leave(false);
  await clock.advance(60_000);
  expect(gauges()).toEqual({ stuck: 0, p: 1, q: 0 });
  own([]);
  await clock.advance(60_000);
  expect(gauges()).toEqual({ stuck: 0, p: 0, q: 0 });
  stop.abort(new Error('stop'));
  await clock.advance(0);
  expect(clock.sleepers()).toBe(0);
});
