// Lag is measured for every group, in records and seconds, and one unreadable group does not hide the others.
import { expect, test } from 'vitest';
import { fakeClock } from '../ports/fakes/clock.ts';
import { fakeLogger } from '../ports/fakes/logger.ts';
import { fakeMetrics } from '../ports/fakes/metrics.ts';
import type { GroupLag, LogAdmin } from '../ports/log.ts';
import { watchLag } from './lag-watch.ts';

test('records and seconds per partition; errors are said and passed over', async () => {
  const clock = fakeClock(100_000);
  const metrics = fakeMetrics();
  const logger = fakeLogger();
  const stop = new AbortController();
  const lagOf = (group: string): GroupLag[] => [
    { group, topic: 't', partition: 0, committed: 5, end: 9, records: 4, oldestTimestamp: 88_000 },
    { group, topic: 't', partition: 1, committed: 9, end: 9, records: 0, oldestTimestamp: null },
  ];
  const admin = {
    lag: async (group: string) => {
      if (group === 'broken') throw new Error('no coordinator');
      return lagOf(group);
    },
  } as unknown as LogAdmin;
  const groups = () => [
    { group: 'broken', topics: ['t'] },
    { group: 'g', topics: ['t'] },
  ];
  const running = watchLag({ admin, groups, clock, metrics, logger, signal: stop.signal, intervalMs: 1_000 });
  await clock.advance(0);
  const value = (name: string, partition: string) =>
    metrics.value(name, { group: 'g', topic: 't', partition });
  expect(value('tocsin_consumer_lag_records', '0')).toBe(4);
  expect(value('tocsin_consumer_lag_seconds', '0')).toBe(12);
  expect(value('tocsin_consumer_lag_seconds', '1')).toBe(0);
  expect(logger.entries.map(({ fields }) => fields['group'])).toEqual(['broken']);
  await clock.advance(3_000);
  expect(value('tocsin_consumer_lag_seconds', '0')).toBe(15);
  stop.abort();
  await running;
});
