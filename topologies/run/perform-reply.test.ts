// Whoever waits for a command hears how it ended, once its end is recorded, whatever the end is.
import type { Command, ResultInput } from '@tocsin/schemas/types.ts';
import { describe, expect, test } from 'vitest';
import type { Outcome } from '../domain/action/outcome.ts';
import { readRunInput } from '../domain/playbooks/run-fold.ts';
import { LogError, type LogProducer } from '../ports/log.ts';
import {
  actionKit,
  failure,
  probeCommand,
  probeManifest,
  probeTopic,
  runsTopic,
} from '../testing/action-kit.ts';
import { topics } from '../topics.ts';
import { createOutbox } from './outbox.ts';

const second = 1_000;
const reply_to = { topic: runsTopic, partition: 3, key: 'run-1', token: 'run-1.1/send#0.1' };
const waited = (number: number, extra: Partial<Command> = {}): Command =>
  probeCommand(number, { reply_to, trigger: 'playbook', ...extra });

type Kit = ReturnType<typeof actionKit>;

/** Answers as the fold of runs reads them. */
function replies(kit: Kit): ResultInput[] {
  return kit.log.records(runsTopic).map(({ partition, key, value }) => {
    expect([partition, String(key)]).toEqual([3, 'run-1']);
    const read = readRunInput(key, value);
    if ('refuse' in read) throw new Error(`${read.refuse} ${read.detail}`);
    return read.input as ResultInput;
  });
}

async function started(
  answer: Parameters<typeof actionKit>[0],
  over: Parameters<Kit['worker']>[0] = {},
): Promise<Kit> {
  const kit = actionKit(answer, { partitions: 4 });
  await kit.worker(over);
  return kit;
}

describe('one answer at the end', () => {
  const base = { kind: 'result', token: reply_to.token, command_id: probeCommand(1).command_id };
  const ends: readonly (readonly [string, Outcome, Partial<Command>, object])[] = [
    [
      'succeeded',
      { status: 'done', ref: 'SEC-1', output: { key: 'SEC-1' } },
      {},
      { status: 'succeeded', attempt: 1, ref: 'SEC-1', output: { key: 'SEC-1' } },
    ],
    ['without output', { status: 'done' }, {}, { status: 'succeeded', attempt: 1 }],
    [
      'failed',
      failure('http_4xx', 'never', { detail: 'no' }),
      {},
      { status: 'failed', attempt: 1, code: 'http_4xx', detail: 'no' },
    ],
    [
      'held',
      failure('timeout', 'backoff', { uncertain: true }),
      { on_uncertain: 'hold' },
      {
        status: 'held',
        attempt: 1,
        code: 'uncertain',
        detail: 'it may have happened and is not repeated: timeout',
      },
    ],
    [
      'given up after retries',
      failure('http_5xx', { afterMs: 60 * second }),
      { retry: { max_attempts: 3 } },
      { status: 'failed', attempt: 3, code: 'http_5xx', detail: 'gave up after 3 attempts: http_5xx' },
    ],
  ];
  test.each(ends)('%s', async (_, outcome, extra, expected) => {
    const kit = await started(() => outcome);
    await kit.publish([waited(1, extra)]);
    await kit.clock.advance(600 * second);
    expect(replies(kit)).toEqual([{ ...base, ...expected }]);
  });

  test('nobody waits: nothing is answered', async () => {
    const kit = await started(() => ({ status: 'done' }));
    await kit.publish([probeCommand(1)]);
    await kit.clock.advance(second);
    expect([kit.finals().length, kit.log.records(runsTopic)]).toEqual([1, []]);
  });

  test('answered from the ledger: succeeded stays well, failed stays failed', async () => {
    const kit = await started(() => ({ status: 'done' }));
    await kit.effects.finish(waited(1).command_id, { status: 'done', ref: 'before' }, 0);
    await kit.effects.finish(waited(2).command_id, failure('http_4xx', 'never'), 0);
    await kit.publish([waited(1), waited(2)]);
    await kit.clock.advance(second);
    const told = replies(kit).map(({ command_id, status, ref, code }) => [
      command_id.at(-1),
      status,
      ref,
      code,
    ]);
    expect(told.sort()).toEqual([
      ['1', 'suppressed', 'before', undefined],
      ['2', 'failed', undefined, 'http_4xx'],
    ]);
    expect(kit.calls).toEqual([]);
  });

  test('result, event and answer are one send, before the offset', async () => {
    const sends: string[][] = [];
    const kit = actionKit(() => ({ status: 'done' }), { partitions: 4 });
    const real = kit.log.producer();
    let isDown = true;
    const producer: LogProducer = {
      ...real,
      async send(records) {
        if (isDown) throw new LogError('down', { retriable: true });
        sends.push(records.map(({ topic }) => topic));
        await real.send(records);
      },
    };
    const outbox = createOutbox({ producer, clock: kit.clock, logger: kit.logger });
    await kit.worker({ outbox });
    await kit.publish([waited(1)], { partition: 0 });
    await kit.clock.advance(second);
    expect([kit.calls.length, kit.committed()]).toEqual([1, -1]);
    isDown = false;
    await kit.clock.advance(10 * second);
    expect(sends).toEqual([[topics.results.name, topics.events.name, runsTopic]]);
    expect(kit.committed()).toBe(1);
  });
});

describe('what no run can hold', () => {
  test('B11 an output that is larger than one input is cut in the answer, and to 64 KiB in the result', async () => {
    const output = { text: 'é'.repeat(500_000) };
    const kit = await started(() => ({ status: 'done', output }));
    await kit.publish([waited(1)]);
    await kit.clock.advance(second);
    // Two bytes for each é, and {"text":""} around them.
    expect(replies(kit)).toMatchObject([
      { status: 'succeeded', output: { truncated: true, bytes: 1_000_011 } },
    ]);
    const [result] = kit.finals();
    expect(result).toMatchObject({ status: 'succeeded', output: { truncated: true, bytes: 1_000_011 } });
    expect(Buffer.byteLength(JSON.stringify(result?.output))).toBeLessThanOrEqual(64 * 1024);
  });

  test('an output of 100 KB travels whole: expressions of the step may pick from it', async () => {
    const output = { text: 'x'.repeat(100_000) };
    const kit = await started(() => ({ status: 'done', output }));
    await kit.publish([waited(1)]);
    await kit.clock.advance(second);
    expect(replies(kit)[0]?.output).toEqual(output);
  });

  const refusing = (kit: Kit, refused: (topic: string) => boolean) => {
    const real = kit.log.producer();
    const producer: LogProducer = {
      ...real,
      async send(records) {
        if (records.some(({ topic }) => refused(topic))) throw new LogError('no', { retriable: false });
        await real.send(records);
      },
    };
    return createOutbox({ producer, clock: kit.clock, logger: kit.logger });
  };

  test('a result that the log refuses does not keep the answer back', async () => {
    const kit = actionKit(() => ({ status: 'done' }), { partitions: 4 });
    await kit.worker({ outbox: refusing(kit, (topic) => topic === topics.results.name) });
    await kit.publish([waited(1)], { partition: 0 });
    await kit.clock.advance(second);
    expect(replies(kit)).toMatchObject([{ status: 'succeeded' }]);
    expect([kit.letters().length, kit.committed()]).toEqual([1, 1]);
  });

  test('an answer that the log refuses keeps nothing else back, and a dead letter tells of it', async () => {
    const kit = actionKit(() => ({ status: 'done' }), { partitions: 4 });
    await kit.worker({ outbox: refusing(kit, (topic) => topic === runsTopic) });
    await kit.publish([waited(1)], { partition: 0 });
    await kit.clock.advance(second);
    expect(kit.finals()).toMatchObject([{ status: 'succeeded' }]);
    const error = kit
      .letters()[0]
      ?.headers.find(([name]) => name === 'x-dlq-error')?.[1]
      .toString();
    expect(error).toBe('the command succeeded; the log refuses its answer: no');
    expect(kit.committed()).toBe(1);
  });
});

describe('commands that nobody can carry out are answered as far as they can be read', () => {
  const cases: readonly (readonly [string, object, object | null])[] = [
    [
      'of another type',
      waited(1, { type: 'other' }),
      { status: 'failed', code: 'unknown_action', attempt: 0 },
    ],
    [
      'that do not fit',
      { ...waited(1), mode: 'some' },
      { status: 'failed', code: 'invalid_command', attempt: 0 },
    ],
    ['without an id', { ...waited(1), command_id: 7 }, null],
    ['with an answer to nowhere', { ...waited(1), reply_to: { ...reply_to, partition: -1 } }, null],
    ['with an answer to a list', { ...waited(1), reply_to: [runsTopic] }, null],
  ];
  test.each(cases)('%s', async (_, command, expected) => {
    const kit = await started(() => ({ status: 'done' }));
    await kit.publish([JSON.stringify(command)], { partition: 0 });
    await kit.clock.advance(second);
    expect(replies(kit)).toMatchObject(expected === null ? [] : [expected]);
    expect([kit.letters().length, kit.committed()]).toEqual([1, 1]);
  });

  test('whose connection does not exist, after its retries', async () => {
    const kit = actionKit(() => ({ status: 'done' }), { partitions: 4 });
    await kit.worker({
      connection: async () =>
        failure('unknown_connection', 'backoff', { detail: 'connection c does not exist' }),
      action: {
        manifest: { ...probeManifest, connection: 'http' },
        check: () => [],
        preview: () => ({ status: 'done' }),
        execute: async () => ({ status: 'done' }),
      },
    });
    await kit.publish([waited(1, { connection: 'c', retry: { max_attempts: 2, initial_ms: 10_000 } })]);
    await kit.clock.advance(60 * second);
    expect(replies(kit)).toMatchObject([{ status: 'failed', code: 'unknown_connection', attempt: 2 }]);
  });

  test('also when it comes out of a timer', async () => {
    const kit = await started(() => failure('http_5xx', { afterMs: 3_600 * second }));
    await kit.publish([waited(1)], { partition: 0 });
    await kit.clock.advance(second);
    const [pending] = kit.log.records(topics.timers.name);
    const { payload } = JSON.parse(String(pending?.value)) as { payload: { command: string } };
    const unfit = payload.command.replace('"mode":"each"', '"mode":"none"');
    const fired = { ...payload, command: unfit, kind: 'timer', token: 't', due: 0 };
    await kit.log
      .producer()
      .send([{ topic: probeTopic, key: 'k', partition: 1, value: JSON.stringify(fired) }]);
    await kit.clock.advance(second);
    expect(replies(kit)).toMatchObject([{ status: 'failed', code: 'invalid_command' }]);
    expect(kit.letters().map(({ value }) => String(value))).toEqual([unfit]);
  });
});
