// Topics that belong together have as many partitions, or the start says which do not.
import { fakeClock } from '@tocsin/topologies/ports/fakes/clock.ts';
import { fakeLog } from '@tocsin/topologies/ports/fakes/log.ts';
import { topics } from '@tocsin/topologies/topics.ts';
import { expect, test } from 'vitest';
import { checkPartitions } from './check-partitions.ts';

const { runs, runEvents, timers, correlations, correlationChanges } = topics;
const all = [runs, runEvents, timers, correlations, correlationChanges].map(({ name }) => name);
const check = (counts: Record<string, number>) => {
  const known = { ...Object.fromEntries(all.map((name) => [name, 6])), ...counts };
  return checkPartitions(fakeLog({ clock: fakeClock(), topics: known }));
};

test.each<[string, Record<string, number>]>([
  ['all the same', {}],
  ['more timers', { 'timers.v1': 12 }],
  ['another number for the correlations', { 'correlations.v1': 3, 'correlation-changes.v1': 3 }],
])('%s is fine', async (_what, counts) => {
  await expect(check(counts)).resolves.toBeUndefined();
});

test.each([
  ['run-events.v1', 12],
  ['timers.v1', 3],
  ['correlation-changes.v1', 1],
])('%s with %s is not', async (name, count) => {
  await expect(check({ [name]: count })).rejects.toThrow(`${name} has ${count} partitions and`);
});
