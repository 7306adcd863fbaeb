// The time of one attempt: it ends what the action waits for, and says honestly what may have happened.
import { describe, expect, test } from 'vitest';
import { webhook } from '../actions/webhook/execute.ts';
import type { Action, ActionContext, ActionPorts } from '../domain/action/define-action.ts';
import type { Outcome } from '../domain/action/outcome.ts';
import { fakeClock } from '../ports/fakes/clock.ts';
import { fakeHttp } from '../ports/fakes/http.ts';
import { HttpFailure, type HttpPort } from '../ports/http.ts';
import type { MailPort, SmtpServer } from '../ports/mail.ts';
import { actionKit, failure, probeCommand } from '../testing/action-kit.ts';
import { eventCommand, httpConnection } from '../testing/fixtures.ts';
import { executeInTime, graceMs } from './perform-attempt.ts';

const done: Outcome = { status: 'done' };
const never = new Promise<never>(() => undefined);

function attempt(
  execute: Action['execute'],
  parts: { readonly ports?: Partial<ActionPorts>; readonly timeout_ms?: number } = {},
) {
  const clock = fakeClock(0);
  const stop = new AbortController();
  const { ports = {}, timeout_ms = 2_000 } = parts;
  const context: ActionContext = { ports, connection: null, now: 0, attempt: 1, signal: stop.signal };
  let ended: Outcome | Error | null = null;
  const running = executeInTime({ execute }, probeCommand(1, { timeout_ms }), context, clock).then(
    (outcome) => (ended = outcome),
    (error: Error) => (ended = error),
  );
  return { clock, stop, running, ended: () => ended };
}

/** Answers when the signal aborts, as the HTTP client does. */
const untilAborted = (signal: AbortSignal | undefined, sent: boolean): Promise<never> =>
  new Promise((_, reject) =>
    signal?.addEventListener('abort', () => reject(new HttpFailure('aborted', 'aborted', { sent }))),
  );

test('what ends in time is what it is, and leaves nothing running', async () => {
  const { clock, running, ended } = attempt(async () => done);
  await running;
  expect([ended(), clock.sleepers()]).toEqual([done, 0]);
});

test('without timeout_ms nothing is bounded', async () => {
  const clock = fakeClock(0);
  const { signal } = new AbortController();
  const context: ActionContext = { ports: {}, connection: null, now: 0, attempt: 1, signal };
  const seen: ActionContext[] = [];
  await executeInTime(
    {
      async execute(_, given) {
        seen.push(given);
        return done;
      },
    },
    probeCommand(1),
    context,
    clock,
  );
  expect(seen).toEqual([context]);
});

describe('over', () => {
  test('the signal aborts at the deadline, not before; what the action says then stands', async () => {
    const { clock, ended } = attempt(
      (_, { signal }) =>
        new Promise((resolve) =>
          signal.addEventListener('abort', () => resolve(failure('aborted', 'backoff', { uncertain: true }))),
        ),
    );
    await clock.advance(1_999);
    expect(ended()).toBeNull();
    await clock.advance(1);
    expect(ended()).toEqual({
      status: 'failed',
      code: 'timeout',
      retry: 'backoff',
      detail: 'the attempt did not end within 2000 ms',
      uncertain: true,
    });
  });

  test.each([true, false])('a webhook whose request was sent: %s', async (sent) => {
    const http: HttpPort = { send: ({ signal }) => untilAborted(signal, sent) };
    const connection = httpConnection();
    const { clock, ended } = attempt(
      (_, context) => webhook.execute(eventCommand({ params: {} }), { ...context, connection }),
      { ports: { http } },
    );
    await clock.advance(2_000);
    expect(ended()).toMatchObject({ code: 'timeout', retry: 'backoff' });
    expect((ended() as { uncertain?: boolean }).uncertain ?? false).toBe(sent);
  });

  test('an action that does not heed the signal is left; uncertain once it has called something outside', async () => {
    const http: HttpPort = { send: () => never };
    const inside = attempt(() => never, { ports: { http } });
    const outside = attempt(async (_, { ports }) => (await ports.http?.send({} as never)) as never, {
      ports: { http },
    });
    for (const { clock, ended } of [inside, outside]) {
      await clock.advance(2_000 + graceMs - 1);
      expect(ended()).toBeNull();
      await clock.advance(1);
      expect(ended()).toMatchObject({ code: 'timeout' });
      expect(clock.sleepers()).toBe(0);
    }
    expect(
      [inside.ended(), outside.ended()].map((end) => (end as { uncertain?: boolean }).uncertain),
    ).toEqual([undefined, true]);
  });

  test('what comes in the last moment counts', async () => {
    const { clock, ended } = attempt(
      (_, { signal }) =>
        new Promise((resolve) => signal.addEventListener('abort', () => resolve({ ...done, ref: 'late' }))),
    );
    await clock.advance(2_000);
    expect(ended()).toEqual({ status: 'done', ref: 'late' });
  });

  test('a throw because of the signal is a timeout, any other is a defect', async () => {
    const heeding = attempt(async (_, { signal }) => {
      await new Promise((resolve) => signal.addEventListener('abort', resolve));
      throw signal.reason;
    });
    await heeding.clock.advance(2_000);
    expect(heeding.ended()).toMatchObject({ code: 'timeout' });
    const broken = attempt(async () => {
      throw new Error('defect');
    });
    await broken.running;
    expect(broken.ended()).toEqual(new Error('defect'));
  });

  test('a service that stops is no timeout', async () => {
    const { clock, stop, ended } = attempt(
      (_, { signal }) =>
        new Promise((resolve) => signal.addEventListener('abort', () => resolve(failure('aborted')))),
    );
    await clock.advance(500);
    stop.abort(new Error('stop'));
    await clock.advance(0);
    expect(ended()).toMatchObject({ code: 'aborted' });
  });
});

test('limits of requests and mail servers are what is left of the attempt, never more than their own', async () => {
  const http = fakeHttp();
  const server = { host: 'h', port: 25, security: 'none' } as const;
  const seen: SmtpServer[] = [];
  const clock = fakeClock(0);
  const { signal } = new AbortController();
  const request = { method: 'GET', url: 'https://h/', headers: [] } as const;
  const execute: Action['execute'] = async (_, { ports }) => {
    await ports.http?.send({ ...request, timeoutMs: 15_000 });
    await clock.sleep(700);
    await ports.http?.send({ ...request, timeoutMs: 15_000 });
    await ports.http?.send({ ...request, timeoutMs: 100 });
    await ports.mail?.send({ ...server, timeoutMs: 60_000 }, {} as never);
    return done;
  };
  const mail: MailPort = {
    async send(to) {
      seen.push(to);
      return { accepted: [], rejected: [], response: '' };
    },
  };
  const ports = { http, mail };
  const running = executeInTime(
    { execute },
    probeCommand(1, { timeout_ms: 2_000 }),
    { ports, connection: null, now: 0, attempt: 1, signal },
    clock,
  );
  await clock.advance(700);
  await running;
  expect(http.requests.map(({ timeoutMs }) => timeoutMs)).toEqual([2_000, 1_300, 100]);
  expect(seen.map(({ timeoutMs }) => timeoutMs)).toEqual([1_300]);
});

test('in the worker: a timed-out attempt is tried again where a repeat is allowed, and held where it is not', async () => {
  let hangs = true;
  const kit = actionKit(
    (_, { signal }) =>
      new Promise((resolve) => {
        if (!hangs) resolve(done);
        signal.addEventListener('abort', () => resolve(failure('aborted', 'backoff', { uncertain: true })));
      }),
  );
  await kit.worker();
  await kit.publish([
    probeCommand(1, { timeout_ms: 1_000 }),
    probeCommand(2, { timeout_ms: 1_000, on_uncertain: 'hold' }),
  ]);
  await kit.clock.advance(1_100);
  hangs = false;
  await kit.clock.advance(10_000);
  expect(kit.results().map(({ command_id, status, code }) => [command_id.at(-1), status, code])).toEqual([
    ['1', 'retrying', 'timeout'],
    ['2', 'held', 'uncertain'],
    ['1', 'succeeded', undefined],
  ]);
  expect(kit.finals().at(-1)).toMatchObject({ possible_duplicate: true });
});
