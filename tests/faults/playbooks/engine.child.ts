// One engine of the fault runs, in a process that may be killed: wired as the service wires it, with places where it dies by itself,
// answers that get lost, and a clock that may be wrong.
//
// Environment: FAULT_KILL_AT published | changed | advanced and FAULT_KILL_AFTER (how often it passes there before it dies), with
// FAULT_KILL_ALONE=1 only while no other partition is at work; FAULT_LOST_ANSWERS (percent of writes that are done and reported as failed, from FAULT_SEED), FAULT_CLOCK_MS,
// FAULT_FORGET (a playbook whose revisions it does not know).
import { systemClock } from '@tocsin/adapters/clock/system.ts';
import { openLogClient, parseLogSettings } from '@tocsin/adapters/log/client.ts';
import { connectRedis } from '@tocsin/adapters/redis/connect.ts';
import { engineTopics, startPlaybookEngine } from '@tocsin/testing/playbook-engine.ts';
import { createRandom } from '@tocsin/topologies/domain/playbooks/simulation/random.ts';
import type { FoldStore } from '@tocsin/topologies/ports/fold-store.ts';
import { type BatchHandler, LogError, type LogProducer } from '@tocsin/topologies/ports/log.ts';
import type { Logger } from '@tocsin/topologies/ports/logger.ts';
import { programsOf } from './definitions.ts';

const env = process.env;
const killAt = env['FAULT_KILL_AT'] ?? '';
let passes = Number(env['FAULT_KILL_AFTER'] ?? 0);
const alone = env['FAULT_KILL_ALONE'] === '1';
/** Partitions whose handler is at work. */
let atWork = 0;
const lostAnswers = Number(env['FAULT_LOST_ANSWERS'] ?? 0);
const random = createRandom(Number(env['FAULT_SEED'] ?? 1));
const clockMs = Number(env['FAULT_CLOCK_MS'] ?? 0);

/** Tells the test of what it counts: by name, and by reason where there is one. */
const count = (name: string, labels: Readonly<Record<string, string>> = {}, by = 1): void =>
  void process.send?.({ count: labels['reason'] === undefined ? name : `${name}.${labels['reason']}`, by });

function passing(point: string): void {
  if (point !== killAt || (alone && atWork > 1)) return;
  passes -= 1;
  if (passes <= 0) process.kill(process.pid, 'SIGKILL');
}

function loseAnswer(what: string): void {
  if (!random.chance(lostAnswers)) return;
  count('lost_answers');
  throw new LogError(`${what}: the answer was lost`, { retriable: true });
}

const faultyProducer = (producer: LogProducer): LogProducer => ({
  async send(records) {
    await producer.send(records);
    // Effects and changes go out in sends of their own; a send with several of both is after the effects of some batch.
    const changes = records.some(({ topic }) => topic === engineTopics.runEvents.name);
    passing(changes ? 'changed' : 'published');
    loseAnswer('send');
  },
  close: () => producer.close(),
});

const faultyStore = (store: FoldStore): FoldStore => ({
  ...store,
  async advance(...step) {
    const outcome = await store.advance(...step);
    if (outcome.status === 'ok' && step[2].writes.length > 0) passing('advanced');
    loseAnswer('advance');
    return outcome;
  },
});

const counted = (handler: BatchHandler): BatchHandler => ({
  ...handler,
  async onBatches(batches, assignment) {
    atWork += 1;
    try {
      await handler.onBatches?.(batches, assignment);
    } finally {
      atWork -= 1;
    }
  },
});

const say = (message: string, fields?: object): void =>
  void process.stderr.write(`${message} ${JSON.stringify(fields ?? {})}\n`);
const logger: Logger = { debug: () => undefined, info: say, warn: say, error: say, child: () => logger };
const programs = programsOf();
const clock = { ...systemClock, now: () => systemClock.now() + clockMs };
const redis = connectRedis({ url: env['REDIS_URL']!, name: 'fault-engine', logger, commandTimeoutMs: 2_000 });
const engine = await startPlaybookEngine({
  client: await openLogClient(parseLogSettings(env, 'fault-engine'), clock),
  redis,
  clock,
  definitions: (id, revision) =>
    revision === 1 && id !== env['FAULT_FORGET'] ? (programs.get(id) ?? null) : null,
  metrics: { count, gauge: () => undefined, observe: () => undefined },
  logger,
  onFailure: (error) => {
    say('failed', { error: String(error.stack) });
    process.exit(1);
  },
  wrap: { producer: faultyProducer, store: faultyStore, handler: counted },
});
process.on('message', () => {
  void engine.stop().then(() => {
    redis.disconnect();
    process.exit(0);
  });
});
process.on('disconnect', () => process.exit(1));
process.send?.({ ready: true });
