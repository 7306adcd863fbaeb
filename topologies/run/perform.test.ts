// The command runner: nothing completes before its outcome is recorded, nothing acts twice without saying so.

import { checkDocument } from '@tocsin/schemas/codecs/validate.ts';
import type { Command, Result } from '@tocsin/schemas/types.ts';
import { beforeEach, describe, expect, test } from 'vitest';
import type { Action, ActionManifest } from '../domain/action/define-action.ts';
import type { Outcome } from '../domain/action/outcome.ts';
import { type FakeClock, fakeClock } from '../ports/fakes/clock.ts';
import { type FakeEffects, fakeEffects } from '../ports/fakes/effects.ts';
import { fakeLog } from '../ports/fakes/log.ts';
import { fakeLogger } from '../ports/fakes/logger.ts';
import { type FakeMetrics, fakeMetrics } from '../ports/fakes/metrics.ts';
import { LogError, type OutRecord, type RecordBatch } from '../ports/log.ts';
import {
  probeCommand as command,
  failure as failed,
  probeManifest as manifest,
  probeTopic as topic,
} from '../testing/action-kit.ts';
import { type FakeAssignment, type FakeRecord, fakeAssignment, fakeBatch } from '../testing/assignments.ts';
import { topics } from '../topics.ts';
import { createTimers } from './fold/timers.ts';
import { createOutbox } from './outbox.ts';
import { createPerformer, type PerformOptions } from './perform.ts';

let clock: FakeClock;
let effects: FakeEffects;
let metrics: FakeMetrics;
let sent: OutRecord[];
let calls: { id: string; attempt: number; at: number; again?: boolean | undefined }[];
let answers: Outcome[];
let logDown: boolean;
let stop: AbortController;
let failures: Error[];
let fired: (record: FakeRecord) => void;
let firedOffset: number;
/** Refuses for good what it says yes to. */
let refused: (record: OutRecord) => boolean;

beforeEach(() => {
  clock = fakeClock(1_000);
  effects = fakeEffects();
  metrics = fakeMetrics();
  sent = [];
  calls = [];
  answers = [];
  logDown = false;
  stop = new AbortController();
  failures = [];
  refused = () => false;
  fired = () => undefined;
  firedOffset = 1_000;
});

function performer(overrides: Partial<PerformOptions> = {}, execute?: Action['execute']) {
  const logger = fakeLogger();
  const producer = {
    async send(records: readonly OutRecord[]) {
      if (logDown) throw new LogError('down', { retriable: true });
      if (records.some(refused)) throw new LogError('message too large', { retriable: false });
      sent.push(...records);
      for (const record of records) if (record.topic === topic) fired(record as FakeRecord);
    },
    async close() {},
  };
  const action: Action = {
    manifest,
    check: () => [],
    preview: () => ({ status: 'done', output: {} }),
    execute:
      execute ??
      (async (given, context) => {
        calls.push({
          id: given.command_id,
          attempt: context.attempt,
          at: context.now,
          ...(context.possibleDuplicate === true ? { again: true } : {}),
        });
        return answers.shift() ?? { status: 'done', ref: 'ok' };
      }),
  };
  const common = { service: 'actions/probe', clock, metrics, logger, signal: stop.signal };
  const outbox = createOutbox({ producer, clock, logger });
  const onFailure = (error: Error): void => void failures.push(error);
  const client = fakeLog({ clock, topics: { [topics.timers.name]: 1 } });
  const handler = createPerformer({
    ...common,
    action,
    ports: {},
    effects,
    outbox,
    timers: createTimers({ ...common, client, outbox, input: topic, onFailure }),
    connection: async () => failed('unknown_connection', 'backoff'),
    laneSettings: () => ({ concurrency: 4, ratePerSecond: null }),
    onFailure,
    ...overrides,
  });
  let owned: FakeAssignment | null = null;
  return {
    ...handler,
    async onBatch(batch: RecordBatch, assignment: FakeAssignment) {
      if (owned !== assignment) await handler.startAt?.(assignment);
      owned = assignment;
      // What timers write into the topic comes back as the log would bring it.
      fired = (record) => void handler.onBatch(fakeBatch(topic, [record], firedOffset++), assignment);
      await handler.onBatch(batch, assignment);
    },
  };
}

const commands = (...list: Command[]) =>
  fakeBatch(
    topic,
    list.map((item) => ({ key: item.source.id, value: JSON.stringify(item) })),
  );
const results = (): Result[] =>
  sent
    .filter((record) => record.topic === topics.results.name)
    .map((record) => JSON.parse(String(record.value)));
/** What was completed of the records that no timer wrote. */
const read = (assignment: FakeAssignment) => assignment.completed.filter(([offset]) => offset < 1_000);
const letters = (): OutRecord[] => sent.filter((record) => record.topic === topics.deadLetters.name);
const events = (): string[] =>
  sent
    .filter((record) => record.topic === topics.events.name)
    .map((record) => JSON.parse(String(record.value)).event);
const header = (record: OutRecord | undefined, name: string): string | undefined =>
  record?.headers?.find(([key]) => key === name)?.[1].toString();

describe('outcomes', () => {
  test('success: result, event, ledger, then the offset', async () => {
    const assignment = fakeAssignment(topic);
    await performer().onBatch(commands(command(1), command(2)), assignment);
    await clock.advance(0);
    expect(results().map(({ status, attempt, ref }) => ({ status, attempt, ref }))).toEqual([
      { status: 'succeeded', attempt: 1, ref: 'ok' },
      { status: 'succeeded', attempt: 1, ref: 'ok' },
    ]);
    for (const result of results()) expect(checkDocument('result.json', result)).toEqual([]);
    expect(events()).toEqual(['action.completed', 'action.completed']);
    expect([...assignment.completed].sort()).toEqual([
      [0, 1],
      [1, 2],
    ]);
    expect(effects.entries.get(command(1).command_id)?.outcome?.status).toBe('done');
  });

  test('H17 a final failure is dead-lettered with the original bytes and completes', async () => {
    answers = [failed('http_4xx', 'never', { status_code: 422 })];
    const assignment = fakeAssignment(topic);
    const batch = commands(command(1));
    await performer().onBatch(batch, assignment);
    await clock.advance(0);
    expect(results()[0]).toMatchObject({ status: 'failed', code: 'http_4xx', status_code: 422, final: true });
    expect(letters()[0]?.value).toEqual(batch.value(0));
    expect(header(letters()[0], 'x-dlq-reason')).toBe('http_4xx');
    expect(header(letters()[0], 'x-dlq-command-id')).toBe(command(1).command_id);
    expect(assignment.completed).toEqual([[0, 1]]);
  });

  test('a throw is a bug: dead letter, no retry, neighbours go on', async () => {
    const assignment = fakeAssignment(topic);
    const execute: Action['execute'] = async (given) => {
      if (given.command_id === command(1).command_id) throw new Error('defect');
      return { status: 'done' };
    };
    await performer({}, execute).onBatch(commands(command(1), command(2)), assignment);
    await clock.advance(0);
    expect(
      results()
        .map(({ status, code }) => [status, code])
        .sort(),
    ).toEqual([
      ['failed', 'bug'],
      ['succeeded', undefined],
    ]);
    expect(assignment.completed.length).toBe(2);
  });

  test.each([
    ['{"v":1', 'json_syntax'],
    ['{"v":1}', 'invalid_command'],
    [JSON.stringify(command(1, { type: 'other' })), 'unknown_action'],
  ])('a record that is no command goes to the dead letters: %s', async (value, reason) => {
    const assignment = fakeAssignment(topic);
    await performer().onBatch(
      fakeBatch(topic, [{ value }, { value: null }, { value: JSON.stringify(command(2)) }]),
      assignment,
    );
    await clock.advance(0);
    expect(header(letters()[0], 'x-dlq-reason')).toBe(reason);
    expect(calls.length).toBe(1);
    expect(assignment.completed.length).toBe(3);
  });
});

describe('retries', () => {
  test('backoff: retrying is announced, the offset waits, neighbours do not', async () => {
    answers = [failed('http_5xx', 'backoff'), { status: 'done' }];
    const assignment = fakeAssignment(topic);
    await performer().onBatch(commands(command(1), command(2)), assignment);
    await clock.advance(0);
    expect(results()[0]).toMatchObject({ status: 'retrying', final: false, attempt: 1 });
    expect(assignment.completed).toEqual([[1, 2]]);
    await clock.advance(1_000);
    expect(calls.filter(({ id }) => id === command(1).command_id).map(({ attempt }) => attempt)).toEqual([
      1, 2,
    ]);
    expect(assignment.completed).toEqual([
      [1, 2],
      [0, 1],
    ]);
  });

  test('attempts are used up: failed with the last code, dead letter, complete', async () => {
    answers = Array.from({ length: 3 }, () => failed('http_429', { afterMs: 10 }));
    const assignment = fakeAssignment(topic);
    await performer().onBatch(
      commands(command(1, { retry: { max_attempts: 3, initial_ms: 10 } })),
      assignment,
    );
    await clock.advance(60_000);
    expect(calls.length).toBe(3);
    expect(results().at(-1)).toMatchObject({ status: 'failed', code: 'http_429', attempt: 3 });
    expect(letters().length).toBe(1);
    expect(assignment.completed).toEqual([[0, 1]]);
  });

  test('H18 refused credentials hold the lane, burn no attempts, lose nothing', async () => {
    answers = Array.from({ length: 200 }, () => failed('http_401_403', 'pause'));
    const assignment = fakeAssignment(topic);
    await performer().onBatch(commands(command(1, { retry: { max_attempts: 2 } })), assignment);
    await clock.advance(10 * 60_000);
    // 1, 2, 4, 8, 16 s and then every 30 s.
    expect(calls.length).toBe(24);
    expect(calls.every(({ attempt }) => attempt === 1)).toBe(true);
    expect(letters()).toEqual([]);
    answers = [];
    await clock.advance(60_000);
    expect(results().at(-1)?.status).toBe('succeeded');
    expect(read(assignment)).toEqual([[0, 1]]);
  });

  test('a destination that refuses for longer than the limit ends in a dead letter', async () => {
    answers = Array.from({ length: 10_000 }, () => failed('http_401_403', 'pause'));
    const assignment = fakeAssignment(topic);
    await performer({ pauseMaxMs: 60_000 }).onBatch(commands(command(1)), assignment);
    await clock.advance(10 * 60_000);
    expect(header(letters()[0], 'x-dlq-reason')).toBe('http_401_403');
    // Asked at 0, 1, 3, 7, 15, 31 and 61 s; the words of what the receiver said stay.
    const words = 'gave up: not accepted for 1 min 1 s (asked 7 times): http_401_403';
    expect(header(letters()[0], 'x-dlq-error')).toBe(words);
    expect(results().at(-1)).toMatchObject({ status: 'failed', detail: words });
    expect(results().map(({ attempt }) => attempt)).toEqual([1, 1, 1, 1, 1, 1, 1]);
    expect(read(assignment)).toEqual([[0, 1]]);
  });

  test('a destination that is down is probed by one command at a time, the others burn no attempts', async () => {
    answers = Array.from({ length: 10_000 }, () => failed('connect', 'backoff'));
    const assignment = fakeAssignment(topic);
    const list = Array.from({ length: 50 }, (_, index) =>
      command(index + 1, { retry: { max_attempts: 100, initial_ms: 10, max_ms: 10 } }),
    );
    await performer().onBatch(commands(...list), assignment);
    await clock.advance(60_000);
    expect(calls.length).toBeLessThan(20);
    answers = [];
    await clock.advance(120_000);
    expect(read(assignment).length).toBe(50);
    expect(results().filter(({ status }) => status === 'succeeded').length).toBe(50);
  });
});

describe('ledger', () => {
  test('a finished command answers from its stored outcome', async () => {
    await effects.begin(command(1).command_id, 0);
    await effects.finish(command(1).command_id, { status: 'done', ref: 'before' }, 0);
    const assignment = fakeAssignment(topic);
    await performer().onBatch(commands(command(1)), assignment);
    await clock.advance(0);
    expect(calls).toEqual([]);
    expect(results()).toMatchObject([{ status: 'suppressed', ref: 'before', attempt: 0 }]);
    expect(assignment.completed).toEqual([[0, 1]]);
  });

  test('what a worker that died before it could write left out is written: event, and dead letter of a failure', async () => {
    await effects.begin(command(1).command_id, 0);
    await effects.finish(command(1).command_id, failed('http_4xx', 'never'), 0);
    await performer().onBatch(commands(command(1)), fakeAssignment(topic));
    await clock.advance(0);
    expect(calls).toEqual([]);
    expect(results()).toMatchObject([{ status: 'suppressed', code: 'http_4xx' }]);
    expect(header(letters()[0], 'x-dlq-reason')).toBe('http_4xx');
    const events = sent.filter(({ topic: name }) => name === topics.events.name);
    expect(events.map(({ value }) => JSON.parse(String(value)))).toMatchObject([
      { id: `${command(1).command_id}.failed`, event: 'action.failed', data: { code: 'http_4xx' } },
    ]);
  });

  test('a repeat that a worker made and did not record is told by the one that answers from the ledger', async () => {
    await effects.begin(command(1).command_id, 0);
    await effects.finish(command(1).command_id, { status: 'done', ref: 'before' }, 0, true);
    await performer().onBatch(commands(command(1)), fakeAssignment(topic));
    await clock.advance(0);
    expect(results()).toMatchObject([{ status: 'suppressed', possible_duplicate: true }]);
  });

  test('a failure is attempted again in a higher round, and answers every other redelivery', async () => {
    await effects.begin(command(1).command_id, 0);
    await effects.finish(command(1).command_id, failed('http_4xx', 'never'), 0);
    for (const [offset, round] of [2, 2, 3].entries())
      await performer().onBatch(commands(command(1, { round })), fakeAssignment(topic, offset));
    await clock.advance(0);
    expect(calls.length).toBe(1);
    expect(results()).toMatchObject([
      { status: 'succeeded', attempt: 1 },
      { status: 'suppressed' },
      { status: 'suppressed' },
    ]);
    expect(results()[0]).not.toHaveProperty('possible_duplicate');
  });

  test('what was held is attempted in a higher round, as a possible duplicate', async () => {
    await effects.begin(command(1).command_id, 0);
    const again = command(1, { round: 2, on_uncertain: 'hold' });
    await performer().onBatch(commands(again), fakeAssignment(topic));
    await clock.advance(0);
    expect(results()).toMatchObject([{ status: 'succeeded', possible_duplicate: true }]);
  });

  test('begun and not finished: repeated under the same id and counted, when the receiver can tell', async () => {
    await effects.begin(command(1).command_id, 0);
    await performer().onBatch(commands(command(1)), fakeAssignment(topic));
    await clock.advance(0);
    expect(results()).toMatchObject([{ status: 'succeeded', possible_duplicate: true }]);
    expect(calls).toMatchObject([{ attempt: 1, again: true }]);
    expect(metrics.total('tocsin_action_possible_duplicates_total')).toBe(1);
  });

  test('begun and not finished: held when it would act twice', async () => {
    await effects.begin(command(1).command_id, 0);
    const assignment = fakeAssignment(topic);
    await performer().onBatch(commands(command(1, { on_uncertain: 'hold' })), assignment);
    await clock.advance(0);
    expect(calls).toEqual([]);
    expect(results()).toMatchObject([{ status: 'held', code: 'uncertain', final: true }]);
    expect(header(letters()[0], 'x-dlq-reason')).toBe('uncertain');
    expect(assignment.completed).toEqual([[0, 1]]);
  });

  test('an uncertain failure is not repeated when the setting is hold', async () => {
    answers = [failed('timeout', 'backoff', { uncertain: true })];
    await performer().onBatch(commands(command(1, { on_uncertain: 'hold' })), fakeAssignment(topic));
    await clock.advance(60_000);
    expect(calls.length).toBe(1);
    expect(results().at(-1)).toMatchObject({ status: 'held', code: 'uncertain' });
  });

  test('whether it is repeated without a setting may depend on the parameters', async () => {
    let attempts = 0;
    const handler = performer({
      action: {
        manifest,
        check: () => [],
        idempotencyOf: ({ via }) => (via === 'http' ? 'none' : 'key'),
        preview: () => ({ status: 'done' }),
        execute: async ({ command_id }) => {
          attempts += 1;
          return command_id === command(1).command_id || attempts < 3
            ? failed('timeout', 'backoff', { uncertain: true })
            : { status: 'done' };
        },
      },
    });
    const list = [command(1, { params: { via: 'http' } }), command(2)];
    await handler.onBatch(commands(...list), fakeAssignment(topic));
    await clock.advance(60_000);
    const finals = results().filter(({ final }) => final);
    expect(finals.map(({ command_id, status }) => [command_id, status])).toEqual([
      [command(1).command_id, 'held'],
      [command(2).command_id, 'succeeded'],
    ]);
    expect(attempts).toBe(3);
  });

  test('the attempt after an uncertain failure is told so', async () => {
    answers = [failed('timeout', 'backoff', { uncertain: true }), { status: 'done' }];
    await performer().onBatch(commands(command(1)), fakeAssignment(topic));
    await clock.advance(60_000);
    expect(calls.map(({ attempt, again }) => [attempt, again])).toEqual([
      [1, undefined],
      [2, true],
    ]);
  });

  test('a known failure is not a possible duplicate on the next attempt', async () => {
    answers = [failed('connect', 'backoff'), { status: 'done' }];
    await performer().onBatch(commands(command(1)), fakeAssignment(topic));
    await clock.advance(60_000);
    expect(calls.map(({ again }) => again)).toEqual([undefined, undefined]);
    expect(metrics.total('tocsin_action_possible_duplicates_total')).toBe(0);
  });

  test('a ledger that is down makes the command wait, not fail', async () => {
    const begin = effects.begin.bind(effects);
    let down = true;
    effects.begin = (id, now) => (down ? Promise.reject(new Error('ECONNREFUSED')) : begin(id, now));
    const assignment = fakeAssignment(topic);
    await performer().onBatch(commands(command(1)), assignment);
    await clock.advance(30_000);
    expect([calls.length, sent.length, assignment.completed.length]).toEqual([0, 0, 0]);
    down = false;
    await clock.advance(5_000);
    expect(results()).toMatchObject([{ status: 'succeeded' }]);
  });
});

describe('recording', () => {
  test('an outcome that the ledger does not take is written again; the effect is not repeated', async () => {
    const finish = effects.finish.bind(effects);
    let down = true;
    effects.finish = (...entry) => (down ? Promise.reject(new Error('ECONNRESET')) : finish(...entry));
    const assignment = fakeAssignment(topic);
    await performer().onBatch(commands(command(1, { on_uncertain: 'hold' })), assignment);
    await clock.advance(10_000);
    expect([calls.length, sent.length, assignment.completed.length]).toEqual([1, 0, 0]);
    down = false;
    await clock.advance(5_000);
    expect(calls.length).toBe(1);
    expect(results()).toMatchObject([{ status: 'succeeded', attempt: 1 }]);
    expect(assignment.completed).toEqual([[0, 1]]);
  });

  test('while outcomes are recorded the receiver gets the next commands', async () => {
    logDown = true;
    const list = Array.from({ length: 20 }, (_, index) => command(index + 1));
    const assignment = fakeAssignment(topic);
    await performer().onBatch(commands(...list), assignment);
    await clock.advance(0);
    expect(calls.length).toBe(20);
    expect(assignment.completed).toEqual([]);
    logDown = false;
    await clock.advance(10_000);
    expect(assignment.completed.length).toBe(20);
  });
});

describe('the log', () => {
  test('an outcome that cannot be recorded does not complete; it is recorded when the log is back', async () => {
    logDown = true;
    const assignment = fakeAssignment(topic);
    await performer().onBatch(commands(command(1)), assignment);
    await clock.advance(30_000);
    expect(calls.length).toBe(1);
    expect(assignment.completed).toEqual([]);
    logDown = false;
    await clock.advance(10_000);
    expect(results().length).toBe(1);
    expect(assignment.completed).toEqual([[0, 1]]);
  });

  test('after a revoke nothing new is attempted and the revoke waits for what runs only', async () => {
    let release: () => void = () => undefined;
    const execute: Action['execute'] = (given) => {
      calls.push({ id: given.command_id, attempt: 1, at: 0 });
      if (given.command_id === command(1).command_id)
        return new Promise((resolve) => (release = () => resolve({ status: 'done' })));
      return Promise.resolve(failed('http_5xx', 'backoff'));
    };
    const handler = performer({}, execute);
    const assignment = fakeAssignment(topic);
    await handler.onBatch(commands(command(1), command(2)), assignment);
    await clock.advance(0);
    expect(calls.length).toBe(2);
    assignment.revoke();
    let revoked = false;
    const waiting = Promise.resolve(handler.onRevoked?.(assignment, 'revoked')).then(() => (revoked = true));
    await clock.advance(60_000);
    expect(revoked).toBe(false);
    release();
    await waiting;
    expect(calls.length).toBe(2);
    expect(assignment.completed).toEqual([[0, 1]]);
  });

  test('a full buffer is back-pressure', async () => {
    let release: () => void = () => undefined;
    const gate = new Promise<void>((resolve) => (release = resolve));
    const execute: Action['execute'] = async () => {
      await gate;
      return { status: 'done' };
    };
    const assignment = fakeAssignment(topic);
    let accepted = false;
    const list = Array.from({ length: 10 }, (_, index) => command(index + 1));
    const taking = performer({ maxQueuedBytes: 1_500 }, execute)
      .onBatch(commands(...list), assignment)
      .then(() => (accepted = true));
    await clock.advance(1_000);
    expect(accepted).toBe(false);
    release();
    await taking;
    await clock.advance(0);
    expect(assignment.completed.length).toBe(10);
  });
});

describe('what the log refuses for good', () => {
  const large =
    (value: string): Action['execute'] =>
    async () => ({ status: 'done', output: { value } });

  test('a dead letter stands for the result: the command completes and its bytes are given back', async () => {
    refused = (record) => record.topic === topics.results.name && String(record.value).includes('huge');
    let turn = 0;
    const execute: Action['execute'] = (...given) => large(turn++ === 0 ? 'huge' : 'small')(...given);
    const assignment = fakeAssignment(topic);
    const batch = commands(command(1), command(2));
    // Room for one command at a time: the second one is taken only when the first has given its bytes back.
    await performer({ maxQueuedBytes: 1 }, execute).onBatch(batch, assignment);
    await clock.advance(0);
    expect(assignment.completed).toEqual([
      [0, 1],
      [1, 2],
    ]);
    expect(letters().map((record) => record.value)).toEqual([batch.value(0)]);
    expect(header(letters()[0], 'x-dlq-reason')).toBe('unrecorded');
    expect(header(letters()[0], 'x-dlq-attempts')).toBe('1');
    expect(header(letters()[0], 'x-dlq-error')).toBe(
      'the command succeeded; the log refuses its result: message too large',
    );
    expect([results().map(({ command_id }) => command_id), failures]).toEqual([[command(2).command_id], []]);
  });

  test('a failure whose letter is refused too fails the service and stays uncommitted', async () => {
    refused = () => true;
    answers = [failed('http_4xx', 'never')];
    const assignment = fakeAssignment(topic);
    await performer().onBatch(commands(command(1)), assignment);
    await clock.advance(60_000);
    expect(assignment.completed).toEqual([]);
    expect(failures.map(({ message }) => message)).toEqual([
      `command ${command(1).command_id} of actions/probe ended and neither its result nor a dead letter can be written: message too large`,
    ]);
  });

  test('the announcement of a retry is not needed for the retry', async () => {
    refused = (record) => String(record.value).includes('retrying');
    answers = [failed('http_5xx', 'backoff'), { status: 'done' }];
    const assignment = fakeAssignment(topic);
    await performer().onBatch(commands(command(1)), assignment);
    await clock.advance(60_000);
    expect(results()).toMatchObject([{ status: 'succeeded', attempt: 2 }]);
    expect([assignment.completed, failures]).toEqual([[[0, 1]], []]);
  });
});

describe('parts', () => {
  const partly: Outcome = {
    status: 'done',
    undelivered: [
      { to: 'b@x.example', code: 'smtp_permanent', detail: 'b@x.example: 550 no such user' },
      { to: 'c@x.example', code: 'smtp_transient', detail: 'c@x.example: 451 later' },
    ],
  };
  const parts = () =>
    letters().map((record) => ['part', 'reason', 'error'].map((name) => header(record, `x-dlq-${name}`)));
  const expected = [
    ['b@x.example', 'smtp_permanent', 'b@x.example: 550 no such user'],
    ['c@x.example', 'smtp_transient', 'c@x.example: 451 later'],
  ];

  test('what did not get through is dead-lettered part by part; the rest succeeded', async () => {
    answers = [partly];
    const assignment = fakeAssignment(topic);
    await performer().onBatch(commands(command(1)), assignment);
    await clock.advance(0);
    expect(results()).toMatchObject([{ status: 'succeeded', final: true }]);
    expect(parts()).toEqual(expected);
    expect(assignment.completed).toEqual([[0, 1]]);
  });

  test('also when the ledger answers for a worker that died before it wrote them', async () => {
    await effects.begin(command(1).command_id, 0);
    await effects.finish(command(1).command_id, partly, 0);
    await performer().onBatch(commands(command(1)), fakeAssignment(topic));
    await clock.advance(0);
    expect(calls).toEqual([]);
    expect(parts()).toEqual(expected);
    expect(header(letters()[0], 'x-dlq-attempts')).toBe('1');
  });
});

test('a connection that cannot be looked up now leaves no trace of an attempt', async () => {
  let away = true;
  const connection: PerformOptions['connection'] = async () => {
    if (away) throw new Error('ECONNREFUSED');
    return { config: {} as never, secrets: {} };
  };
  const assignment = fakeAssignment(topic);
  const handler = performer({
    connection,
    action: {
      manifest: { ...manifest, connection: 'http', idempotency: 'none' } as ActionManifest,
      check: () => [],
      preview: () => ({ status: 'done' }),
      execute: async (_, context) => ({ status: 'done', ref: String(context.attempt) }),
    },
  });
  await handler.onBatch(commands(command(1, { connection: 'c' })), assignment);
  await clock.advance(5_000);
  expect([sent, assignment.completed]).toEqual([[], []]);
  away = false;
  await clock.advance(2_000);
  // Without the look at the ledger it would be held as if the first attempt had reached the receiver.
  expect(results()).toMatchObject([{ status: 'succeeded', ref: '1', attempt: 1 }]);
});

test('parameters decide whether what may have happened is repeated, where the type leaves it to them', async () => {
  const handler = performer({
    action: {
      manifest: { ...manifest, idempotency: 'none' } as ActionManifest,
      check: () => [],
      preview: () => ({ status: 'done' }),
      idempotencyOf: (params) => (params['key'] === undefined ? 'none' : 'key'),
      execute: async () => ({ status: 'done' }),
    },
  });
  for (const number of [1, 2]) await effects.begin(command(number).command_id, 0);
  await handler.onBatch(commands(command(1), command(2, { params: { key: 'x' } })), fakeAssignment(topic));
  await clock.advance(0);
  const byId = new Map(results().map(({ command_id, status }) => [command_id, status]));
  expect(byId.get(command(1).command_id)).toBe('held');
  expect(byId.get(command(2).command_id)).toBe('succeeded');
});

test('a connection that the parameters do not need is not looked up; one that they do need is', async () => {
  const looked: string[] = [];
  const seen: unknown[] = [];
  const handler = performer({
    connection: async (id) => {
      looked.push(id);
      return failed('unknown_connection', 'never');
    },
    action: {
      manifest: { ...manifest, connection: 'smtp' },
      check: () => [],
      needsConnection: ({ mail }) => mail === true,
      preview: () => ({ status: 'done' }),
      execute: async (_command, context) => {
        seen.push(context.connection);
        return { status: 'done' };
      },
    },
  });
  const list = [command(1), command(2, { params: { mail: true } }), command(3, { connection: 'c' })];
  await handler.onBatch(commands(...list), fakeAssignment(topic));
  await clock.advance(0);
  expect([looked.sort(), seen]).toEqual([['', 'c'], [null]]);
});
