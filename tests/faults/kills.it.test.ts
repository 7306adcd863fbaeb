// kill -9 under load: of the evaluator after it produced and before it committed, of action workers and sinks after the
// receiver has it and before anything is recorded, and of each at moments nobody chose.
import { commandTopic } from '@tocsin/topologies/topics.ts';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { feed, publish, readings, show } from './books.ts';
import { problemsOf } from './checker.ts';
import { concurrency, type Full, sinkInFlight, startFull } from './full.ts';
import { mailRule } from './load.ts';
import { type Process, randomPause } from './system.ts';
import { pendingTimers, until, untilIdle, waiting } from './topic.ts';

let full: Full;

beforeAll(async () => {
  full = await startFull();
});

afterAll(async () => {
  await full?.stop();
});

async function commandsInTopic(): Promise<number> {
  const admin = full.system.client.admin();
  const ends = await admin.endOffsets(commandTopic('webhook').name);
  await admin.close();
  return [...ends.values()].reduce((sum, end) => sum + end, 0);
}

/** Kills it again and again while records keep coming, then lets the rest come at once. Answers how many kills met load. */
async function killUnderLoad(
  service: Process,
  kills: number,
  records: Parameters<typeof feed>[1],
  pauseMs = 1_500,
): Promise<number> {
  let over = false;
  let met = 0;
  // So slow that some are left at the last kill, also where a start takes seconds.
  const feeding = feed(full.system.client, records, () => !over, { count: 10, everyMs: 300 });
  for (let kill = 0; kill < kills; kill += 1) {
    await randomPause(pauseMs);
    if (feeding.left() > 0) met += 1;
    await service.kill();
    await service.start();
  }
  over = true;
  await feeding.done;
  return met;
}

test('evaluator killed between producing commands and committing the inputs', async () => {
  const { system, evaluator } = full;
  const rounds = 3;
  const perRound = 250;
  const records = full.load('produced', rounds * perRound);
  let hits = 0;
  for (let round = 0; round < rounds; round += 1) {
    await untilIdle(system.client, [readings.evaluator]);
    const before = await commandsInTopic();
    await publish(system.client, records.slice(round * perRound, (round + 1) * perRound));
    await until('commands are in the topic', async () => (await commandsInTopic()) > before, 30_000, 1);
    await evaluator.kill();
    if ((await waiting(system.client, [readings.evaluator])) > 0) hits += 1;
    await evaluator.start();
  }
  await publish(system.client, records.slice(rounds * perRound));
  const verdict = await full.verdict(records);
  show('evaluator killed after produce, before commit', verdict, `kills=${rounds} hits=${hits}`);
  expect(problemsOf(verdict)).toEqual([]);
  // The fault really happened: inputs were evaluated twice, and nobody outside noticed.
  expect(hits).toBeGreaterThan(0);
  expect(verdict.repeatedCommands).toBeGreaterThan(0);
  expect(verdict.duplicates).toBe(0);
}, 120_000);

test('evaluator killed at any moment', async () => {
  const kills = 7;
  const records = full.load('evaluator', 1_750);
  const met = await killUnderLoad(full.evaluator, kills, records);
  const verdict = await full.verdict(records);
  show('evaluator killed at any moment', verdict, `kills=${kills} under load=${met}`);
  expect(problemsOf(verdict)).toEqual([]);
  expect(met).toBeGreaterThan(kills / 2);
  expect(verdict.duplicates).toBe(0);
}, 180_000);

test('action worker killed when the webhook receiver has the request and before it answers', async () => {
  const { system, actions, webhook } = full;
  const armed = [40, 160, 280];
  const records = full.load('webhook', 700);
  const first = webhook.requests.length;
  let kills = 0;
  webhook.answerWith(() => {
    if (webhook.requests.length - first >= (armed[kills] ?? Number.POSITIVE_INFINITY)) {
      kills += 1;
      process.kill(actions.pid(), 'SIGKILL');
    }
    return { status: 204, delayMs: 15 };
  });
  await publish(system.client, records);
  for (let kill = 1; kill <= armed.length; kill += 1) {
    await until(`kill ${kill}`, () => kills === kill);
    await actions.start();
  }
  const verdict = await full.verdict(records);
  show('action worker killed after send, before result', verdict, `kills=${kills}`);
  expect(problemsOf(verdict)).toEqual([]);
  // The request that pulled the trigger is sent again, at least; nothing beyond what was in flight is.
  expect(verdict.duplicates).toBeGreaterThanOrEqual(kills);
  expect(verdict.duplicates).toBeLessThanOrEqual(kills * concurrency.webhook);
  expect(verdict.held).toBeLessThanOrEqual(kills * concurrency.mail);
}, 120_000);

test('action worker killed at any moment', async () => {
  const kills = 4;
  const records = full.load('worker', 1_500);
  full.webhook.answerWith({ status: 204, delayMs: 5 });
  await killUnderLoad(full.actions, kills, records);
  const verdict = await full.verdict(records);
  show('action worker killed at any moment', verdict, `kills=${kills}`);
  expect(problemsOf(verdict)).toEqual([]);
  expect(verdict.duplicates).toBeLessThanOrEqual(kills * concurrency.webhook);
  expect(verdict.held).toBeLessThanOrEqual(kills * concurrency.mail);
}, 120_000);

test('action worker killed when the mail server has the message and before it answers: held, not repeated', async () => {
  const { system, actions, mail } = full;
  const kills = 2;
  const records = full.load('mail', 400);
  const half = records.length >> 1;
  for (let kill = 0; kill < kills; kill += 1) {
    const before = mail.mails.length;
    mail.script({}, {}, { answerDelayMs: Number.POSITIVE_INFINITY });
    await publish(system.client, records.slice(kill * half, kill === 0 ? half : records.length));
    await mail.waitFor(before + 3, 30_000);
    await actions.kill();
    await actions.start();
    await untilIdle(system.client, Object.values(readings));
  }
  const verdict = await full.verdict(records);
  const mails = records.flatMap(({ input }) => input.hits.filter(({ rule }) => rule === mailRule.id));
  show('action worker killed after DATA, before the answer', verdict, `kills=${kills} mails=${mails.length}`);
  expect(problemsOf(verdict)).toEqual([]);
  expect(verdict.held).toBeGreaterThanOrEqual(kills);
  expect(verdict.held).toBeLessThanOrEqual(kills * concurrency.mail);
  // Webhooks in flight may come twice; a mail never does, in no run of this file.
  const ids = mail.mails.map(({ parsed }) => parsed.messageId);
  expect(new Set(ids).size).toBe(ids.length);
}, 120_000);

test('action worker killed while commands wait for a retry of seconds: no offset waits, each comes at its time', async () => {
  const { system, actions, webhook } = full;
  const records = full.load('parked', 60);
  const waitMs = 9_000;
  const refusedAt = new Map<string, number>();
  const takenAt = new Map<string, number>();
  webhook.answerWith(({ id }) => {
    const isFirst = !refusedAt.has(id);
    (isFirst ? refusedAt : takenAt).set(id, performance.now());
    return isFirst ? { status: 425, headers: { 'retry-after': String(waitMs / 1000) } } : { status: 204 };
  });
  const expected = records.flatMap(({ input }) => input.hits.filter(({ rule }) => rule !== mailRule.id));
  await publish(system.client, records);
  await until(
    'all are refused and parked',
    async () => (await pendingTimers(system.client)) >= expected.length,
  );
  await untilIdle(system.client, [readings.webhook]);
  await actions.kill();
  expect(takenAt.size).toBe(0);
  await actions.start();
  const verdict = await full.verdict(records);
  show('action worker killed while commands are parked', verdict, `parked=${expected.length}`);
  // To the checker the second request of each is one more delivery that nobody counted: it cannot know that the first was refused.
  expect(problemsOf(verdict).filter((problem) => !problem.startsWith('uncounted'))).toEqual([]);
  expect([...takenAt.keys()].sort()).toEqual([...new Set(expected.map(({ commandId }) => commandId))].sort());
  for (const [id, at] of takenAt) expect(at - refusedAt.get(id)!).toBeGreaterThanOrEqual(waitMs - 50);
  // Each was asked twice, and not once more for the kill.
  expect(webhook.requests.filter(({ id }) => takenAt.has(id)).length).toBe(2 * expected.length);
  webhook.answerWith({ status: 204 });
}, 120_000);

/**
 * The sink, and how many events its kills so far may repeat: those in flight, and those that the receiver took since the
 * last commit, of which a kill knows nothing.
 */
function countRepeats(
  sinks: Process,
  taken: () => number,
): { sinks: Process; bound: () => number; stop: () => void } {
  const samples: { readonly at: number; readonly taken: number }[] = [];
  const sampler = setInterval(() => samples.push({ at: performance.now(), taken: taken() }), 20);
  let bound = 0;
  return {
    sinks: {
      ...sinks,
      start: () => sinks.start(),
      kill: async () => {
        const since = performance.now() - uncommittedMs;
        const before = samples.findLast(({ at }) => at <= since)?.taken ?? 0;
        const exit = await sinks.kill();
        bound += sinkInFlight + taken() - before;
        return exit;
      },
    },
    bound: () => bound,
    stop: () => clearInterval(sampler),
  };
}

/** A commit follows within the consumer's interval (500 ms) and the time that a busy machine takes for it. */
const uncommittedMs = 2_000;

test('sink killed in the middle of a batch', async () => {
  const { system, hec } = full;
  const { sinks, bound, stop } = countRepeats(full.sinks, () => hec.events.length);
  const kills = { armed: 3, random: 2 };
  const records = full.load('sink', 1_600);
  const half = records.length >> 1;
  let over = false;
  const feeding = feed(system.client, records.slice(0, half), () => !over, { count: 40, everyMs: 300 });
  for (let kill = 0; kill < kills.armed; kill += 1) {
    // Taken whole and never answered: the sink cannot know.
    const before = hec.requests.length;
    hec.script({ lost: true });
    await until('the receiver took a batch', () => hec.requests.length > before, 30_000, 1);
    await sinks.kill();
    await sinks.start();
  }
  over = true;
  await feeding.done;
  await killUnderLoad(sinks, kills.random, records.slice(half));
  const verdict = await full.verdict(records);
  const total = kills.armed + kills.random;
  show('sink killed in the middle of a batch', verdict, `kills=${total}`);
  expect(problemsOf(verdict)).toEqual([]);
  expect(verdict.duplicates).toBe(0);
  expect(verdict.sinkDuplicates).toBeGreaterThan(0);
  stop();
  expect(verdict.sinkDuplicates).toBeLessThanOrEqual(bound());
}, 120_000);
