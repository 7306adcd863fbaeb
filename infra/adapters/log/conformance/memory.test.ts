// The in-memory twin passes the same cases as the adapters.
import { fakeLog } from '@tocsin/topologies/ports/fakes/log.ts';
import { describe, it } from 'vitest';
import { systemClock } from '../../clock/system.ts';
import { cases } from './cases.ts';

describe.concurrent('the log in memory', () => {
  for (const each of cases) {
    it(`${each.number}: ${each.title}`, async () => {
      const log = fakeLog({ clock: systemClock, batchSize: 100 });
      await each.run({
        replicationFactor: 1,
        create: () => log,
        deleteBefore: async (tp, offset) => log.deleteBefore(tp, offset),
      });
    });
  }
});
