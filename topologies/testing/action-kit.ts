// Action workers over the log in memory, for tests: they may stop, be replaced, or die between two steps of their work.
//
// Invariant: what a dead worker calls never answers; what it had called before has happened.
import type { Command, Result } from '@tocsin/schemas/types.ts';
import type { Action, ActionContext, ActionManifest } from '../domain/action/define-action.ts';
import type { Failed, Outcome } from '../domain/action/outcome.ts';
import { fakeClock } from '../ports/fakes/clock.ts';
import { fakeEffects } from '../ports/fakes/effects.ts';
import { fakeLog } from '../ports/fakes/log.ts';
import { fakeLogger } from '../ports/fakes/logger.ts';
import { fakeMetrics } from '../ports/fakes/metrics.ts';
import type { LogProducer, OutRecord } from '../ports/log.ts';
import { createTimers } from '../run/fold/timers.ts';
import { createOutbox } from '../run/outbox.ts';
import { createPerformer, type PerformOptions } from '../run/perform.ts';
import { commandTopic, topics } from '../topics.ts';

export const probeTopic = commandTopic('probe').name;
export const probeGroup = 'tocsin.action.probe';
export const runsTopic = topics.runs.name;

export const probeManifest: ActionManifest = {
  id: 'probe',
  title: 'Probe',
  summary: 'Answers as it is told.',
  since: '0.1.0',
  params: { type: 'object' },
  examples: [],
  outputs: {},
  needs: [],
  connection: null,
  runOnce: 'first',
  defaultMode: 'each',
  idempotency: 'key',
  ledger: 'fast',
};

export function probeCommand(number: number, extra: Partial<Command> = {}): Command {
  return {
    v: 1,
    command_id: number.toString(16).padStart(32, '0'),
    type: 'probe',
    trigger: 'rule',
    source: { id: `evt-${number}`, kind: 'event', topic: 'findings.v1', partition: 0, offset: number },
    rule: { id: 'r', revision: 1 },
    action: { id: 'a', key: 'a', revision: 1 },
    mode: 'each',
    row_index: 0,
    params: {},
    subject: { event: { event: 'finding.new' } },
    hops: 1,
    created_at: 0,
    ...extra,
  };
}

export const failure = (
  code: Failed['code'],
  retry: Failed['retry'] = 'backoff',
  extra: Partial<Failed> = {},
): Failed => ({ status: 'failed', code, retry, detail: code, ...extra });

/** What a worker has just done when it dies. */
export type Step =
  | 'begin'
  | 'attempt'
  | 'note'
  | 'release'
  | 'result'
  | 'timer'
  | 'finish'
  | 'end'
  | 'fire'
  | 'removal';

export interface Call {
  readonly id: string;
  readonly connection: string;
  readonly attempt: number;
  readonly at: number;
}

const never = new Promise<never>(() => undefined);

export function actionKit(
  answer: (command: Command, context: ActionContext) => Outcome | Promise<Outcome>,
  kit: Partial<Action> & { readonly partitions?: number } = {},
) {
  const clock = fakeClock(1_000_000);
  const names = [probeTopic, topics.results.name, topics.events.name, topics.deadLetters.name];
  const { partitions = 1 } = kit;
  const log = fakeLog({
    clock,
    topics: Object.fromEntries([...names, topics.timers.name, runsTopic].map((name) => [name, partitions])),
  });
  const effects = fakeEffects();
  const metrics = fakeMetrics();
  const logger = fakeLogger();
  const calls: Call[] = [];
  const failures: Error[] = [];

  async function worker(over: Partial<PerformOptions> & { readonly dieAfter?: Step } = {}) {
    const { dieAfter, ...overrides } = over;
    const stop = new AbortController();
    let dead = false;
    async function did<T>(step: Step | null, call: () => Promise<T>): Promise<T> {
      if (dead) return never;
      const done = await call();
      if (dead) return never;
      if (step === null || step !== dieAfter) return done;
      dead = true;
      void log.crash(consumer);
      return never;
    }
    const real = log.producer();
    const producer: LogProducer = {
      ...real,
      send: (records) => did(stepOf(records), () => real.send(records)),
    };
    const common = { service: 'actions/probe', clock, metrics, logger, signal: stop.signal };
    const outbox = createOutbox({ producer, clock, logger });
    const onFailure = (error: Error): void => void failures.push(error);
    const timers = createTimers({
      ...common,
      client: log,
      outbox,
      input: probeTopic,
      onFailure,
      maxSleepMs: 3_600_000,
    });
    const performer = createPerformer({
      ...common,
      action: {
        manifest: probeManifest,
        check: () => [],
        preview: () => ({ status: 'done', output: {} }),
        execute: (command, context) =>
          did('attempt', async () => {
            const { command_id: id, connection = '' } = command;
            calls.push({ id, connection, attempt: context.attempt, at: clock.now() });
            return answer(command, context);
          }),
        ...kit,
      },
      ports: {},
      effects: {
        begin: (...given) => did('begin', () => effects.begin(...given)),
        finish: (...given) => did('finish', () => effects.finish(...given)),
        note: (...given) => did('note', () => effects.note(...given)),
        release: (...given) => did('release', () => effects.release(...given)),
      },
      outbox,
      timers,
      connection: async () => failure('unknown_connection'),
      laneSettings: () => ({ concurrency: 4, ratePerSecond: null }),
      onFailure,
      ...overrides,
    });
    const consumer = log.consumer({ group: probeGroup, topics: [probeTopic], handler: performer, onFailure });
    await consumer.start();
    return {
      performer,
      timers,
      crash: async () => {
        dead = true;
        await log.crash(consumer);
      },
      stop: async () => {
        await consumer.stop();
        outbox.stop();
        stop.abort(new Error('stop'));
      },
      get dead() {
        return dead;
      },
    };
  }

  const values = <T>(topic: string): T[] =>
    log.records(topic).map(({ value }) => JSON.parse(String(value)) as T);
  return {
    clock,
    log,
    effects,
    metrics,
    logger,
    calls,
    failures,
    worker,
    /** Appends commands; the key is `key`, or the number of the event. */
    async publish(commands: readonly (Command | string)[], parts: Partial<OutRecord> = {}): Promise<void> {
      await log.producer().send(
        commands.map((command) => ({
          topic: probeTopic,
          key: typeof command === 'string' ? null : command.source.id,
          value: typeof command === 'string' ? command : JSON.stringify(command),
          ...parts,
        })),
      );
    },
    results: () => values<Result>(topics.results.name),
    finals: () => values<Result>(topics.results.name).filter(({ final }) => final),
    letters: () => log.records(topics.deadLetters.name),
    committed: (partition = 0) => log.committed(probeGroup, { topic: probeTopic, partition }),
    /** Tokens of timers that the log still holds. */
    pending(): string[] {
      const held = new Map<string, boolean>();
      for (const { key, value } of log.records(topics.timers.name)) held.set(String(key), value !== null);
      return [...held].flatMap(([key, isHeld]) => (isHeld ? [key.slice(probeTopic.length + 1)] : []));
    },
  };
}

/** By what only this step writes. */
function stepOf(records: readonly OutRecord[]): Step | null {
  const has = (topic: string, test: (record: OutRecord) => boolean = () => true): boolean =>
    records.some((record) => record.topic === topic && test(record));
  if (has(topics.timers.name, ({ value }) => value === null)) return 'removal';
  if (has(topics.timers.name)) return 'timer';
  if (has(probeTopic)) return 'fire';
  if (has(topics.results.name, ({ value }) => String(value).includes('"retrying"'))) return 'result';
  if (has(topics.results.name)) return 'end';
  return null;
}
