// The fault runs of playbooks through services, short: destinations that are away, workers that are killed.
//
// Surprise: both take many seconds, because breaker, session timeouts and the look for a ticket that may exist do.
import { afterAll, beforeAll, expect, test } from 'vitest';
import { lineOf } from './checker.ts';
import { serviceScenarios } from './service-scenarios.ts';
import { type Services, startServices } from './services.ts';

let services: Services;

beforeAll(async () => {
  services = await startServices();
});

afterAll(() => services?.stop());

test.each(serviceScenarios)(
  '$id $title',
  async ({ title, run }) => {
    const { verdict, hit, note } = await run(services, { seed: 1, runs: 40, faults: 4 });
    process.stdout.write(`${title}: ${lineOf(verdict)} ${note}\n`);
    expect(verdict.problems).toEqual([]);
    expect(hit, 'the fault did not happen').toBe(true);
  },
  180_000,
);
