// Transitions per second with all the servers and the driver on the same cores, the same number of BullMQ's jobs after each round,
// then the time from a start to its first command at half that load.
import { percentiles } from '../rules/percentiles.ts';
import type { BullReport } from './bullmq.child.ts';
import { type PartOptions, rounded } from './options.ts';
import { commandsPerRun, transitionsPerRun } from './playbook.ts';
import { type Engine, type Stage, startStage } from './stage.ts';

/** Load of the latency part, transitions/s; half of what was reached comes after it. */
const halfOfTarget = 2_500;
const latencySeconds = 10;

interface Round {
  readonly perSecond: number;
  /** CPU seconds of engine, Kafka, Redis and driver. */
  readonly cpuSeconds: number;
}

async function playRound(
  stage: Stage,
  engine: Engine,
  { runs, say }: PartOptions,
  n: number,
): Promise<Round> {
  const prefix = `t${n}-`;
  const before = { engine: await engine.usage(), ...stage.servers() };
  const began = performance.now();
  const driver = await stage.drive({ prefix, runs });
  let after = await engine.usage();
  while (after.inputs - before.engine.inputs < runs * transitionsPerRun) {
    if (performance.now() - began > 300_000) throw new Error('runs do not end');
    await new Promise((resolve) => setTimeout(resolve, 5));
    after = await engine.usage();
  }
  const seconds = (after.lastInputAt - driver.beganAt) / 1000;
  const servers = stage.servers();
  const cpu = {
    engine: after.cpuSeconds - before.engine.cpuSeconds,
    kafka: servers.kafka - before.kafka,
    redis: servers.redis - before.redis,
    driver: driver.cpuSeconds,
  };
  const transitions = await stage.transitions(prefix);
  const valid =
    transitions === runs * transitionsPerRun &&
    driver.commands === runs * commandsPerRun &&
    driver.duplicates === 0;
  if (!valid) process.exitCode = 1;
  const cpuSeconds = cpu.engine + cpu.kafka + cpu.redis + cpu.driver;
  say({
    part: 'throughput',
    round: n,
    valid,
    transitions,
    seconds: rounded(seconds),
    transitions_per_second: Math.round(transitions / seconds),
    transitions_per_engine_cpu_second: Math.round(transitions / cpu.engine),
    cpu_seconds: Object.fromEntries(Object.entries(cpu).map(([name, used]) => [name, rounded(used)])),
    rss_mb: after.rssMb,
  });
  return { perSecond: transitions / seconds, cpuSeconds };
}

async function bullRound(stage: Stage, jobs: number, ours: Round, { say }: PartOptions): Promise<void> {
  const before = stage.servers();
  const report = await stage.child<BullReport>('./bullmq.child.ts', [jobs, 100]);
  const redis = stage.servers().redis - before.redis;
  say({
    part: 'bullmq',
    jobs: report.jobs,
    seconds: rounded(report.seconds),
    jobs_per_second: Math.round(report.jobs / report.seconds),
    cpu_seconds: { node: rounded(report.cpuSeconds), redis: rounded(redis) },
    rss_mb: report.rssMb,
    tocsin_cpu_per_bullmq_cpu: rounded(ours.cpuSeconds / (report.cpuSeconds + redis)),
    tocsin_rate_per_bullmq_rate: rounded(ours.perSecond / (report.jobs / report.seconds)),
  });
}

/** From a start to its first command, with starts at their times whatever the engine does. */
async function measureLatency(
  stage: Stage,
  engine: Engine,
  prefix: string,
  load: number,
  say: PartOptions['say'],
): Promise<void> {
  const perSecond = Math.round(load / transitionsPerRun);
  const before = { engine: await engine.usage(), ...stage.servers() };
  const driver = await stage.drive({ prefix, runs: perSecond * latencySeconds, perSecond });
  const after = { engine: await engine.usage(), ...stage.servers() };
  const latency = percentiles(Float64Array.from(driver.latenciesMs));
  say({
    part: 'latency',
    transitions_per_second: Math.round(load),
    seconds: rounded(driver.seconds),
    cpu_seconds: {
      engine: rounded(after.engine.cpuSeconds - before.engine.cpuSeconds),
      kafka: rounded(after.kafka - before.kafka),
      redis: rounded(after.redis - before.redis),
      driver: rounded(driver.cpuSeconds),
    },
    start_to_first_command_ms: latency,
    target: { p99Ms: 100, met: latency.p99 < 100 },
  });
}

export async function measureThroughput(options: PartOptions): Promise<void> {
  const { rounds, runs, say, profileFolder } = options;
  const stage = await startStage('throughput');
  try {
    const flags = profileFolder === undefined ? [] : ['--cpu-prof', `--cpu-prof-dir=${profileFolder}`];
    const engine = await stage.engine(flags);
    await stage.drive({ prefix: 'w-', runs: 3_000 });
    const results: Round[] = [];
    for (let n = 1; n <= rounds; n++) {
      const round = await playRound(stage, engine, options, n);
      results.push(round);
      await bullRound(stage, runs * transitionsPerRun, round, options);
    }
    const rates = results.map(({ perSecond }) => Math.round(perSecond)).sort((a, b) => a - b);
    const best = rates.at(-1) ?? 0;
    say({
      part: 'throughput',
      rounds,
      best_per_second: best,
      spread_per_second: [rates[0], best],
      target: { perSecond: 5_000, met: best >= 5_000 },
    });
    const halves = [...Array(3).fill(halfOfTarget), ...(best > 2 * halfOfTarget ? [best / 2] : [])];
    for (const [n, load] of halves.entries()) await measureLatency(stage, engine, `l${n}-`, load, say);
    await engine.stop();
  } finally {
    await stage.stop();
  }
}
