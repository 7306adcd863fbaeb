// Scenario 17: a destination answers 500, asks for patience, hangs and breaks connections, and then is well again.
//
// Invariant: whoever goes there waits and is carried out in the end, under the same ids and with as many attempts as were made; nobody
// else notices, and no offset waits for them.
//
// Surprise: how often the destination may be asked is arithmetic: what is on its way when the breaker opens, and one try per wait,
// each twice as long as the one before.
import type { Command } from '@tocsin/schemas/types.ts';
import type { Answer } from '@tocsin/testing/receivers/answers.ts';
import type { WebhookRequest } from '@tocsin/testing/receivers/webhook.ts';
import { defaultBreaker } from '@tocsin/topologies/domain/delivery/breaker.ts';
import { commandTopic, topics } from '@tocsin/topologies/topics.ts';
import { until } from '../topic.ts';
import { judge } from './checker.ts';
import { record } from './record.ts';
import type { Outcome, Plan } from './scenarios.ts';
import { httpConcurrency, readings, recordsOf, resultsOf, type Services } from './services.ts';
import { pause } from './stage.ts';

const retryAfterMs = 2_000;
const refusal = { status: 429, headers: { 'retry-after': String(retryAfterMs / 1_000) } };
const broken = { status: 500 };
/** What follows the failures that open the breaker. */
const ways: readonly Answer[] = [refusal, 'hang', 'reset'];
/** Ways after which the sender cannot know whether it was heard. */
const doubtful: readonly Answer[] = ['hang', 'reset'];

const commandsName = commandTopic('webhook').name;

export async function destinationAway(world: Services, { seed, runs }: Plan): Promise<Outcome> {
  const prefix = `away${seed}-`;
  const { ill } = world;
  let away = true;
  /** What came, with what it met. */
  const met: { readonly request: WebhookRequest; readonly answer: Answer }[] = [];
  ill.answerWith((request) => {
    const turn = met.length < defaultBreaker.threshold ? broken : ways[met.length % ways.length];
    const answer = away ? (turn as Answer) : { status: 204 };
    met.push({ request, answer });
    return answer;
  });

  const calm = await bystanders(world, `${prefix}calm`, (count) => count < runs);
  const keys = Array.from({ length: runs }, (_, n) => `${prefix}ill${n}`);
  await Promise.all(keys.map((key) => world.start('to-ill', key)));
  const during = bystanders(world, `${prefix}fault`, (count) => away || count < runs);
  // Whoever waits for it hears of a failure; one of this scenario comes first.
  during.catch(() => undefined);
  let waiting: readonly Waiting[];
  let asked: number;
  let awayMs: number;
  try {
    waiting = await firstCommands(world, `${prefix}ill`, runs);
    await until(
      'every way to misbehave was met',
      () => ways.every((way) => met.some(({ answer }) => answer === way)),
      30_000,
    );
    await until('offsets go on without those who wait', () => allCommitted(world, waiting), 30_000, 100);
    asked = met.length;
    awayMs = Date.now() - (met[0]?.request.at ?? 0);
  } finally {
    away = false;
  }
  const fault = await during;
  const started = [...keys, ...calm.keys, ...fault.keys];
  const open = await world.settle(started);

  const recording = await record(world, prefix, {
    programs: world.programs,
    started,
    faults: asked,
    repeatBound: 0,
    latenessMs: 20_000,
    bystanders: { calm: calm.latencies, fault: fault.latencies },
  });
  const verdict = judge(recording);
  const { ends } = await resultsOf(world, prefix);
  const letters = await recordsOf(world, topics.deadLetters.name, prefix);
  const timers = (await recordsOf(world, topics.timers.name, `${commandsName}/`)).map(
    ({ key }) => key as string,
  );
  const ids = recording.commands
    .map(({ text }) => JSON.parse(text) as Command)
    .filter(({ connection }) => connection === 'ill')
    .map(({ command_id }) => command_id);
  const most = mostAsked(awayMs);
  const problems = [
    ...open.map((key) => `I1 ${key} does not end`),
    ...letters.map(({ headers }) => `a dead letter: ${headers['x-dlq-reason']} ${headers['x-dlq-error']}`),
    ...(asked > most
      ? [`asked ${asked} times while it was away for ${awayMs} ms, ${most} explain themselves`]
      : []),
    ...waiting.flatMap(({ id }) =>
      timers.some((key) => key.startsWith(`${commandsName}/${id}.`)) ? [] : [`${id} was in no timer`],
    ),
    ...met.flatMap(({ request: { id } }) => (ids.includes(id) ? [] : [`${id} is the id of no command`])),
    ...ids.flatMap((id) => {
      const tries = met.filter(({ request }) => request.id === id);
      const end = ends.get(id);
      const doubt = tries.some(({ answer }) => doubtful.includes(answer));
      const bodies = new Set(tries.map(({ request }) => `${request.path} ${request.body}`));
      return [
        ...(end?.status === 'succeeded' ? [] : [`${id} ends as ${end?.status} ${end?.code ?? ''}`]),
        ...(end?.attempt === tries.length
          ? []
          : [`${id} tells of ${end?.attempt} attempts, it was ${tries.length}`]),
        ...((end?.possible_duplicate === true) === doubt ? [] : [`${id} tells of a duplicate: ${!doubt}`]),
        ...(bodies.size === 1 ? [] : [`${id} was sent as ${[...bodies].join(', ')}`]),
        ...tries.flatMap(({ answer, request }, at) => {
          const next = tries[at + 1]?.request.at ?? Number.POSITIVE_INFINITY;
          return answer === refusal && next - request.at < retryAfterMs
            ? [`${id} came back ${next - request.at} ms after it was asked to wait`]
            : [];
        }),
      ];
    }),
  ];
  const p99 = (of: readonly number[]): number =>
    Math.round([...of].sort((a, b) => b - a)[Math.floor(of.length / 100)] ?? 0);
  return {
    verdict: { ...verdict, problems: [...verdict.problems, ...problems] },
    hit: asked > httpConcurrency && fault.latencies.length >= runs,
    note:
      `away=${awayMs} ms asked=${asked} of at most ${most} parked=${waiting.length} ` +
      `others p99 calm=${p99(calm.latencies)} fault=${p99(fault.latencies)} ms of ${fault.latencies.length}`,
  };
}

/** Requests that a destination may get while it is away for so long. */
function mostAsked(awayMs: number): number {
  const { threshold, initialWaitMs } = defaultBreaker;
  // Each failure below the threshold lets one more follow.
  const untilOpen = httpConcurrency + threshold - 1;
  return untilOpen + Math.floor(Math.log2(awayMs / initialWaitMs + 1));
}

/** Starts runs to the destination that is well, ten a second. Resolves with the times from start to last request, ms. */
async function bystanders(
  world: Services,
  prefix: string,
  goesOn: (count: number) => boolean,
): Promise<{ readonly keys: readonly string[]; readonly latencies: readonly number[] }> {
  const startedAt = new Map<string, number>();
  while (goesOn(startedAt.size)) {
    const key = `${prefix}${startedAt.size}`;
    startedAt.set(key, Date.now());
    await world.start('to-well', key);
    await pause(100);
  }
  const told = (): ReadonlyMap<string, number> =>
    new Map(
      world.well.requests
        .filter(({ path }) => path === '/tell')
        .map(({ body, at }) => [(JSON.parse(body.toString()) as { run: string }).run, at]),
    );
  await until('bystanders are carried out', () => [...startedAt.keys()].every((key) => told().has(key)));
  const ended = told();
  return {
    keys: [...startedAt.keys()],
    latencies: [...startedAt].map(([key, at]) => (ended.get(key) as number) - at),
  };
}

interface Waiting {
  readonly id: string;
  readonly partition: number;
  readonly offset: number;
}

/** The first command of each of these runs, when all are in the log. */
async function firstCommands(world: Services, prefix: string, runs: number): Promise<readonly Waiting[]> {
  const found = new Map<string, Waiting>();
  await until('the commands are in the log', async () => {
    for (const { value, partition, offset } of await recordsOf(world, commandsName, prefix)) {
      const { command_id: id, kind } = JSON.parse(String(value)) as Command & { kind?: string };
      if (kind === undefined && !found.has(id)) found.set(id, { id, partition, offset });
    }
    return found.size >= runs;
  });
  return [...found.values()];
}

async function allCommitted(world: Services, waiting: readonly Waiting[]): Promise<boolean> {
  const admin = world.client.admin();
  try {
    const lag = await admin.lag(readings.webhook.group, readings.webhook.topics);
    const committed = new Map(lag.map(({ partition, committed: next }) => [partition, next]));
    return waiting.every(({ partition, offset }) => (committed.get(partition) ?? -1) > offset);
  } finally {
    await admin.close();
  }
}
