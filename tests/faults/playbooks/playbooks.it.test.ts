// The short version of the fault runs of playbooks, on real Kafka and Redis: `./tocsin bench playbook faults` is the long one.
//
// TOCSIN_FAULT_SEED names the seed; a failure prints the one that it had.
import { afterAll, beforeAll, expect, test } from 'vitest';
import { lineOf, type Verdict } from './checker.ts';
import { shortScenarios } from './scenarios.ts';
import { type Stage, startStage } from './stage.ts';

const seed = Number(process.env['TOCSIN_FAULT_SEED'] ?? Math.floor(Math.random() * 2 ** 31));
const verdicts: Verdict[] = [];
let stage: Stage;

beforeAll(async () => {
  stage = await startStage();
});

afterAll(async () => {
  await stage?.stop();
  const sum = (of: (verdict: Verdict) => number): number =>
    verdicts.reduce((total, one) => total + of(one), 0);
  const counts = [
    `runs=${sum(({ runs }) => runs)}`,
    `transitions=${sum(({ transitions }) => transitions)}`,
    `faults=${sum(({ faults }) => faults)}`,
    `lost=${sum(({ lost }) => lost.length)}`,
    `repeated=${sum(({ repeated }) => repeated)} of at most ${sum(({ repeatBound }) => repeatBound)}`,
    `stuck=${sum(({ stuck }) => stuck.length)}`,
  ];
  process.stdout.write(`playbooks under faults, seed ${seed}: ${counts.join(' ')}\n`);
});

test.each(shortScenarios)(
  '$title',
  async ({ title, run }) => {
    const { verdict, hit, note } = await run(stage, { seed, runs: 60, faults: 1 });
    verdicts.push(verdict);
    process.stdout.write(`${title}: ${lineOf(verdict)} ${note}\n`);
    expect(verdict.problems, `seed ${seed}`).toEqual([]);
    expect(hit, `seed ${seed}: the fault did not happen`).toBe(true);
  },
  120_000,
);
