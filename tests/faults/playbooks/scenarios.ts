// The fault runs of playbooks by number, each one load with one kind of fault in it.
//
// Invariant: a scenario proves that its fault happened (`hit`), or it proved nothing. Times are those of a busy machine, so that a
// verdict never depends on speed; seeds decide everything that is drawn.

import { engineTopics } from '@tocsin/testing/playbook-engine.ts';
import { runLimits } from '@tocsin/topologies/domain/playbooks/limits.ts';
import { createRandom } from '@tocsin/topologies/domain/playbooks/simulation/random.ts';
import { judge, type Recording, type Verdict } from './checker.ts';
import { programsOf } from './definitions.ts';
import { type Driver, startDriver } from './driver.ts';
import { record } from './record.ts';
import { type EngineProcess, pause, type Stage } from './stage.ts';

export interface Plan {
  readonly seed: number;
  /** Runs of the load. */
  readonly runs: number;
  /** How often the fault comes. */
  readonly faults: number;
}

export interface Outcome {
  readonly verdict: Verdict;
  /** Whether what the scenario is about has happened. */
  readonly hit: boolean;
  readonly note: string;
}

export interface Scenario {
  /** For the command line. */
  readonly id: string;
  readonly title: string;
  readonly run: (stage: Stage, plan: Plan) => Promise<Outcome>;
}

const day = 86_400_000;

/** Most commands that a run has on their way at one moment: those of a forEach or of branches. */
const commandsInFlight = 3;

/** Timers come at most so late on a busy machine: engines that start again included, and a broker that does, ms. */
const lateMs = { engine: 20_000, broker: 60_000 };

interface Ground extends Plan {
  readonly stage: Stage;
  readonly driver: Driver;
  readonly engines: EngineProcess[];
  readonly random: ReturnType<typeof createRandom>;
}

type More = Partial<Pick<Recording, 'latenessMs' | 'earlyMs' | 'bystanders' | 'faults' | 'repeatBound'>>;

let numbers = 0;

/** Plays a load while `act` does the harm, then lets every run end on a healthy engine, and judges. */
async function play(
  stage: Stage,
  plan: Plan,
  act: (ground: Ground) => Promise<More & { hit: boolean; note?: string }>,
  operators = false,
): Promise<Outcome> {
  const prefix = `s${plan.seed}-${numbers++}-`;
  const driver = await startDriver(stage, { seed: plan.seed, prefix, operators });
  const engines: EngineProcess[] = [];
  try {
    const random = createRandom(plan.seed);
    const { hit, note = '', ...more } = await act({ ...plan, stage, driver, engines, random });
    if (!engines.some((engine) => engine.running())) engines.push(await stage.engine());
    const open = await driver.settle();
    // What is still on its way, such as late answers, changes nothing any more; it must have its outcome all the same.
    await pause(1_000);
    await drained(stage);
    for (const engine of engines) if (engine.running()) await engine.stop();
    const faults = more.faults ?? plan.faults;
    const verdict = judge(
      await record(stage, prefix, {
        programs: programsOf(),
        started: driver.started,
        faults,
        repeatBound: faults * plan.runs * commandsInFlight,
        latenessMs: lateMs.engine,
        ...more,
      }),
    );
    const late = open.map((key) => `I1 ${key} does not end`);
    return { verdict: { ...verdict, problems: [...late, ...verdict.problems] }, hit, note };
  } finally {
    for (const engine of engines) if (engine.running()) await engine.kill();
    await driver.stop();
  }
}

/** Until the store has applied every input that is in the log; the judge tells what is missing after a minute. */
async function drained({ client, redis }: Stage): Promise<void> {
  const admin = client.admin();
  try {
    for (const deadline = performance.now() + 60_000; performance.now() < deadline; await pause(200)) {
      const ends = await admin.endOffsets(engineTopics.runs.name);
      const offsets = await Promise.all(
        [...ends].map(async ([partition, end]) => {
          const applied = await redis.get(`tocsin:fold:{runs-${partition}}:offset`);
          return end === 0 || Number(applied ?? -1) + 1 >= end;
        }),
      );
      if (offsets.every(Boolean)) return;
    }
  } finally {
    await admin.close();
  }
}

/** Engines that die by themselves at a place, one after the other, under load. `alone`: while no other partition is at work. */
function dying(id: string, title: string, point: string, alone = false): Scenario {
  return {
    id,
    title,
    run: (stage, plan) =>
      play(stage, plan, async ({ driver, engines, random }) => {
        const loading = driver.load(plan.runs, plan.faults * 3_000);
        for (let n = 0; n < plan.faults; n++) {
          const engine = await stage.engine({
            FAULT_KILL_AT: point,
            FAULT_KILL_AFTER: 5 + random.below(40),
            FAULT_KILL_ALONE: alone ? 1 : 0,
          });
          engines.push(engine);
          await engine.ended;
        }
        engines.push(await stage.engine());
        await loading;
        // What is in the store is not written again.
        return { hit: true, ...(alone ? { repeatBound: 0 } : {}) };
      }),
  };
}

/** One after the other under one load, with timers of 30 days beside it: the short version of 1, 2, 4, 5, 6 and 12. */
const storm: Scenario = {
  id: 'storm',
  title: 'engines killed at each place, Redis back in time and emptied, under one load',
  run: (stage, plan) =>
    play(stage, plan, async ({ driver, engines, random }) => {
      const far = await driver.start('alarm', { at: new Date(Date.now() + 30 * day).toISOString() });
      const loading = driver.load(plan.runs, 10_000);
      for (const FAULT_KILL_AT of ['published', 'changed', 'advanced']) {
        const engine = await stage.engine({ FAULT_KILL_AT, FAULT_KILL_AFTER: 5 + random.below(20) });
        engines.push(engine);
        await engine.ended;
      }
      const engine = await stage.engine();
      engines.push(engine);
      await stage.keepRedis();
      await pause(1_200);
      await stage.setRedisBack();
      await alarms(driver, 20, Date.now() + 1_000);
      await pause(1_500);
      await stage.redis.flushall();
      await loading;
      await driver.send(far, { kind: 'cancel', by: 'op' });
      await driver.settle();
      const rewinds = engine.counted('tocsin_fold_rewinds_total.offset');
      const rebuilds = engine.counted('tocsin_fold_rebuilds_total');
      return {
        hit: rewinds > 0 && rebuilds > 0,
        faults: 5,
        latenessMs: lateMs.broker,
        note: `rewinds=${rewinds} rebuilds=${rebuilds}`,
      };
    }),
};

export const scenarios: readonly Scenario[] = [
  dying('1', 'kill -9 when effects are written and the change is not', 'published'),
  dying('1b', 'kill -9 when the change is written and the store is not', 'changed'),
  dying('2', 'kill -9 when the store is written and the offset is not committed', 'advanced', true),
  {
    id: '3',
    title: 'the owner is frozen past its session and comes back',
    run: (stage, plan) =>
      play(stage, plan, async ({ driver, engines }) => {
        engines.push(await stage.engine(), await stage.engine());
        const loading = driver.load(plan.runs, plan.faults * 7_000);
        for (let n = 0; n < plan.faults; n++) {
          await pause(1_500);
          await (engines[n % 2] as EngineProcess).freeze(5_000);
        }
        await loading;
        const fenced = engines.reduce(
          (sum, engine) => sum + engine.counted('tocsin_fold_rewinds_total.fenced'),
          0,
        );
        return { hit: true, note: `fenced=${fenced}` };
      }),
  },
  {
    id: '4',
    title: 'engines come and go under load',
    run: (stage, plan) =>
      play(stage, plan, async ({ driver, engines }) => {
        engines.push(await stage.engine(), await stage.engine());
        const loading = driver.load(plan.runs, plan.faults * 2_500);
        for (let n = 0; n < plan.faults; n++) {
          await pause(1_000);
          engines.push(await stage.engine());
          const oldest = engines.find((engine) => engine.running()) as EngineProcess;
          await (n % 2 === 0 ? oldest.stop() : oldest.kill());
        }
        await loading;
        return { hit: true };
      }),
  },
  {
    id: '5',
    title: 'Redis goes back in time',
    run: (stage, plan) =>
      play(stage, plan, async ({ driver, engines }) => {
        const engine = await stage.engine();
        engines.push(engine);
        const loading = driver.load(plan.runs, plan.faults * 4_000);
        for (let n = 0; n < plan.faults; n++) {
          await pause(1_500);
          await stage.keepRedis();
          await pause(1_200);
          await stage.setRedisBack();
        }
        await loading;
        return { hit: engine.counted('tocsin_fold_rewinds_total.offset') > 0 };
      }),
  },
  {
    id: '6',
    title: 'Redis loses everything under load',
    run: (stage, plan) =>
      play(stage, plan, async ({ driver, engines }) => {
        const engine = await stage.engine();
        engines.push(engine);
        const loading = driver.load(plan.runs, plan.faults * 3_000);
        for (let n = 0; n < plan.faults; n++) {
          await pause(2_000);
          await stage.redis.flushall();
        }
        await loading;
        await driver.settle();
        return { hit: engine.counted('tocsin_fold_rebuilds_total') > 0 };
      }),
  },
  {
    id: '7',
    title: 'Redis does not answer, then has no memory left',
    run: (stage, plan) =>
      play(stage, plan, async ({ driver, engines }) => {
        engines.push(await stage.engine());
        const loading = driver.load(plan.runs, plan.faults * 6_000);
        for (let n = 0; n < plan.faults; n++) {
          await pause(1_000);
          await stage.freezeRedis(4_000);
          await pause(500);
          await stage.redis.config('SET', 'maxmemory', '1');
          await pause(1_500);
          await stage.redis.config('SET', 'maxmemory', '0');
        }
        await loading;
        return { hit: true };
      }),
  },
  {
    id: '9',
    title: 'the broker is killed, and answers get lost',
    run: (stage, plan) =>
      play(stage, plan, async ({ driver, engines, seed }) => {
        const engine = await stage.engine({ FAULT_LOST_ANSWERS: 3, FAULT_SEED: seed });
        engines.push(engine);
        const loading = driver.load(plan.runs, plan.faults * 6_000);
        for (let n = 0; n < plan.faults; n++) {
          await pause(2_000);
          await stage.kafka.kill(0);
          await pause(500);
          await stage.kafka.restart(0);
        }
        await loading;
        await driver.settle();
        const lost = engine.counted('lost_answers');
        return {
          hit: lost > 0,
          faults: plan.faults + lost,
          latenessMs: lateMs.broker,
          note: `lost answers=${lost}`,
        };
      }),
  },
  {
    id: '10',
    title: 'the broker is away when timers are due',
    run: (stage, plan) =>
      play(stage, plan, async ({ driver, engines }) => {
        engines.push(await stage.engine());
        const at = Date.now() + 8_000;
        await alarms(driver, plan.runs, at);
        await pause(Math.max(0, at - 2_000 - Date.now()));
        await stage.kafka.kill(0);
        await pause(6_000);
        await stage.kafka.restart(0);
        return { hit: Date.now() > at, latenessMs: lateMs.broker };
      }),
  },
  {
    id: '11',
    title: 'all timers are due in the same second',
    run: (stage, plan) =>
      play(stage, plan, async ({ driver, engines }) => {
        engines.push(await stage.engine());
        const calm = await latenciesOf(driver, 40, 2_000);
        const at = Date.now() + 3_000 + plan.runs;
        await alarms(driver, plan.runs * 10, at);
        await pause(Math.max(0, at - Date.now()));
        const fault = await latenciesOf(driver, 40, 2_000);
        return { hit: true, bystanders: { calm, fault } };
      }),
  },
  {
    id: '12',
    title: 'timers of 30 days, 25 days and a second, owners killed, clocks an hour ahead and behind',
    run: (stage, plan) =>
      play(stage, plan, async ({ driver, engines }) => {
        const [far, soon] = [
          [30 * day, 24.9 * day, 2 ** 31 + 60_000],
          [1_000, 5_000, 12_000],
        ];
        const now = Date.now();
        const distant = await Promise.all(
          far.flatMap((ms) =>
            [1, 2].map(() => driver.start('alarm', { at: new Date(now + ms).toISOString() })),
          ),
        );
        for (const ms of soon) await alarms(driver, plan.runs, now + ms);
        const clocks = [3_600_000, 0, -3_600_000, 0, 0];
        for (const FAULT_CLOCK_MS of clocks) {
          const engine = await stage.engine({ FAULT_CLOCK_MS });
          engines.push(engine);
          await pause(4_000);
          await engine.kill();
        }
        engines.push(await stage.engine());
        await pause(8_000);
        // They are as far away as before; nothing but an operator ends them now.
        for (const key of distant) await driver.send(key, { kind: 'cancel', by: 'op' });
        return {
          hit: true,
          faults: clocks.length,
          latenessMs: lateMs.broker,
          earlyMs: runLimits.clockTolerance,
          note: `far=${distant.length}`,
        };
      }),
  },
  {
    id: '13',
    title: 'results, approvals, events and operators in every order, late, twice and never (13 to 16)',
    run: (stage, plan) =>
      play(
        stage,
        plan,
        async ({ driver, engines }) => {
          engines.push(await stage.engine());
          await driver.load(plan.runs, 6_000);
          return { hit: true, faults: 0 };
        },
        true,
      ),
  },
  {
    id: '19',
    title: 'poison among the inputs, a definition that is gone, another engine in the middle',
    run: (stage, plan) =>
      play(stage, plan, async ({ driver, engines }) => {
        const first = await stage.engine();
        engines.push(first);
        const calm = await latenciesOf(driver, 40, 2_000);
        const loading = driver.load(plan.runs, 5_000);
        await poison(stage, driver);
        for (let n = 0; n < 20; n++) await driver.start('forgotten');
        await pause(500);
        // One after the other: what a step gives depends on the revisions that its engine knows.
        await first.stop();
        const forgetful = await stage.engine({ FAULT_FORGET: 'forgotten' });
        engines.push(forgetful);
        await pause(3_000);
        await forgetful.stop();
        engines.push(await stage.engine());
        await loading;
        const fault = await latenciesOf(driver, 40, 2_000);
        const failed = forgetful.counted('tocsin_dead_letters_total.step_failed');
        return { hit: failed > 0, bystanders: { calm, fault }, note: `engine failed on=${failed}` };
      }),
  },
];

/** What belongs into every run of all tests: about a minute. */
export const shortScenarios: readonly Scenario[] = [
  storm,
  ...scenarios.filter(({ id }) => id === '13' || id === '19'),
];

/** So many runs that wait for this moment. */
async function alarms(driver: Driver, count: number, at: number): Promise<void> {
  const data = { at: new Date(at).toISOString() };
  await Promise.all(Array.from({ length: count }, () => driver.start('alarm', data)));
}

/** Start to first command of runs that are spread over `ms`. */
async function latenciesOf(driver: Driver, count: number, ms: number): Promise<number[]> {
  const keys: string[] = [];
  for (let n = 0; n < count; n++) {
    keys.push(await driver.start('response'));
    await pause(ms / count);
  }
  for (const deadline = performance.now() + 20_000; performance.now() < deadline; await pause(20))
    if (keys.every((key) => driver.latencies.has(key))) break;
  return keys.map((key) => driver.latencies.get(key) ?? Number.POSITIVE_INFINITY);
}

/** What is no input, under keys of runs that are at work; and a run whose revision nobody knows. */
async function poison({ client }: Stage, driver: Driver): Promise<void> {
  const producer = client.producer();
  const topic = engineTopics.runs.name;
  const [key = ''] = driver.started;
  const values: (Buffer | null)[] = [
    Buffer.from([0xff, 0xfe, 0x00]),
    Buffer.from([0, 0, 0, 0, 9, 1]),
    Buffer.from('{"kind":"result"'),
    Buffer.from('{"kind":"explode"}'),
    Buffer.from('{"kind":"resume","by":"op","__proto__":{"by":""}, "more":1}'),
    Buffer.from(JSON.stringify({ kind: 'cancel', by: 'op', reason: 'x'.repeat(3_000) })),
    Buffer.from('['.repeat(100_000)),
    Buffer.alloc(5_000_000, 'x'),
    null,
  ];
  for (const value of values) await producer.send([{ topic, key, value }]);
  await driver.send(`${key}gone`, {
    kind: 'start',
    playbook: 'response',
    revision: 7,
    by: 'starter',
    source: { id: key, kind: 'event', topic: 'findings.v1', partition: 0, offset: 1 },
    event: {},
  });
  await producer.close();
}
