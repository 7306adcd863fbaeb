// `bench playbook faults`: the fault runs of tests/faults/playbooks for as long as one likes, seed after seed.
//
// Invariant: the first violation ends it with exit code 1 and prints the seed that brings it back.
//
// Usage: node bench/playbook-faults.bench.ts [scenario...] [--seed 1] [--seeds 1] [--runs 200] [--faults 4]; without scenarios all of
// them. Prints one JSON object per scenario and one with the sums.
import { parseArgs } from 'node:util';
import { lineOf } from '@tocsin/tests/faults/playbooks/checker.ts';
import {
  type Outcome,
  type Plan,
  type Scenario,
  scenarios,
} from '@tocsin/tests/faults/playbooks/scenarios.ts';
import { serviceScenarios } from '@tocsin/tests/faults/playbooks/service-scenarios.ts';
import { startServices } from '@tocsin/tests/faults/playbooks/services.ts';
import { startStage } from '@tocsin/tests/faults/playbooks/stage.ts';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    seed: { type: 'string', default: '1' },
    seeds: { type: 'string', default: '1' },
    runs: { type: 'string', default: '200' },
    faults: { type: 'string', default: '4' },
  },
});
const isChosen = ({ id }: { readonly id: string }): boolean =>
  positionals.length === 0 || positionals.includes(id);
const chosen = scenarios.filter(isChosen);
const served = serviceScenarios.filter(isChosen);
const sums = { runs: 0, transitions: 0, faults: 0, lost: 0, repeated: 0, repeatBound: 0, stuck: 0 };
const say = (line: object): void => void process.stdout.write(`${JSON.stringify(line)}\n`);

/** Plays scenarios until one is violated. */
async function play<World extends { stop(): Promise<void> }>(
  start: () => Promise<World>,
  list: readonly (Omit<Scenario, 'run'> & { run(world: World, plan: Plan): Promise<Outcome> })[],
  seed: number,
): Promise<void> {
  if (list.length === 0 || process.exitCode === 1) return;
  // Fresh servers for each seed, so that a failure comes again without the seeds before it.
  const world = await start();
  try {
    for (const { id, title, run } of list) {
      const began = performance.now();
      const plan = { seed, runs: Number(values.runs), faults: Number(values.faults) };
      const { verdict, hit, note } = await run(world, plan);
      const { lost, stuck, problems, ...counts } = verdict;
      for (const [name, count] of Object.entries({ ...counts, lost: lost.length, stuck: stuck.length }))
        sums[name as keyof typeof sums] += count;
      const seconds = Math.round((performance.now() - began) / 1000);
      process.stderr.write(`${id} ${title}: ${lineOf(verdict)} ${note} in ${seconds} s\n`);
      say({ scenario: id, title, seed, hit, ...counts, lost: lost.length, stuck: stuck.length, seconds });
      if (hit && problems.length === 0) continue;
      process.exitCode = 1;
      const shown = hit ? problems.slice(0, 20) : ['the fault did not happen'];
      process.stderr.write(`seed ${seed}, scenario ${id}:\n  ${shown.join('\n  ')}\n`);
      break;
    }
  } finally {
    await world.stop();
  }
}

const first = Number(values.seed);
for (let seed = first; seed < first + Number(values.seeds) && process.exitCode !== 1; seed++) {
  await play(startStage, chosen, seed);
  await play(startServices, served, seed);
}
say({ bench: 'playbook faults', seeds: Number(values.seeds), ...sums, date: new Date().toISOString() });
