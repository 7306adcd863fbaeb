// What all ticket actions promise, against stateful systems in memory: no second ticket and no second comment, whatever gets lost.
import type { Command } from '@tocsin/schemas/types.ts';
import { describe, expect, it } from 'vitest';
import type { Action, ResolvedConnection } from '../domain/action/define-action.ts';
import { settleMs } from '../domain/action/ticket/run.ts';
import { fakeClock } from '../ports/fakes/clock.ts';
import { type FakeAnswer, fakeHttp } from '../ports/fakes/http.ts';
import { HttpFailure, type HttpPort } from '../ports/http.ts';
import { actionKit } from '../testing/action-kit.ts';
import { type FakeTicketSystem, losses, type TicketWorld, ticketWorld } from '../testing/fake-tickets.ts';
import { eventCommand, httpConnection } from '../testing/fixtures.ts';
import { gitlab } from './gitlab/execute.ts';
import { fakeGitLab } from './gitlab/fixtures/fake-gitlab.ts';
import { jira } from './jira/execute.ts';
import { fakeJira } from './jira/fixtures/fake-jira.ts';
import { servicenow } from './servicenow/execute.ts';
import { fakeServiceNow } from './servicenow/fixtures/fake-servicenow.ts';
import { ticket } from './ticket/execute.ts';
import * as desk from './ticket/fixtures/fake-desk.ts';

interface Case {
  readonly action: Action;
  readonly connection: ResolvedConnection;
  readonly system: (options: { now: () => number; lagMs?: number }) => FakeTicketSystem;
  readonly create: Readonly<Record<string, unknown>>;
  readonly dedupe: (onFound: string) => Readonly<Record<string, unknown>>;
  readonly change: (operation: string, ref: string) => Readonly<Record<string, unknown>>;
  /** The system is asked how the ticket is before it is changed. */
  readonly asks: boolean;
  /** A comment that may be there can be found. */
  readonly findsComments: boolean;
}

/** `always`: parameters that every operation needs; `close`: the transition that closes. */
const named = (
  params: Readonly<Record<string, unknown>>,
  close: string,
  always: Readonly<Record<string, unknown>> = {},
): Omit<Case, 'action' | 'connection' | 'system'> => ({
  create: params,
  dedupe: (onFound) => ({ ...params, dedupe: { key: '{{data.asset.id}}', on_found: onFound } }),
  change: (operation, ref) => ({
    ...always,
    operation,
    ref,
    ...(operation === 'comment' ? { comment: 'Still {{data.title}}' } : {}),
    ...(operation === 'update' ? { summary: 'New' } : {}),
    ...(operation === 'transition' ? { transition: close } : {}),
  }),
  asks: true,
  findsComments: true,
});

const basic = httpConnection(
  { host: 'acme.atlassian.net', auth: { type: 'basic', username: 'a@example.com' } },
  { password: 'secret-token' },
);
const cases: Record<string, Case> = {
  jira: { action: jira, connection: basic, system: fakeJira, ...named({ project: 'SEC' }, 'Done') },
  servicenow: { action: servicenow, connection: basic, system: fakeServiceNow, ...named({}, '7') },
  gitlab: {
    action: gitlab,
    connection: httpConnection(
      { auth: { type: 'header', header: 'PRIVATE-TOKEN' } },
      { token: 'secret-token' },
    ),
    system: fakeGitLab,
    ...named({ project: 'security/findings' }, 'close', { project: 'security/findings' }),
  },
  ticket: {
    action: ticket,
    connection: httpConnection({ auth: { type: 'bearer' } }, { token: 'secret-token' }),
    system: desk.fakeDesk,
    create: { create: desk.create, find: desk.find },
    dedupe: (onFound) => ({
      create: desk.create,
      find: desk.find,
      find_open: desk.findOpen,
      comment: desk.comment,
      update: desk.update,
      dedupe: { key: '{{data.asset.id}}', on_found: onFound },
    }),
    change: (operation, ref) => ({
      operation,
      ref,
      comment: desk.comment,
      update: desk.update,
      transition: desk.transition,
    }),
    asks: false,
    findsComments: false,
  },
};

const again = { possibleDuplicate: true, attempt: 2 };

describe.each(Object.entries(cases))('%s', (type, given) => {
  const command = (params: Readonly<Record<string, unknown>>, id = 'a'): Command => ({
    ...eventCommand(),
    command_id: id.repeat(32),
    type,
    params: { ...params },
  });
  const open = (lagMs = 0): { system: FakeTicketSystem; world: TicketWorld } => {
    const clock = fakeClock();
    const system = given.system({ now: clock.now, lagMs });
    return { system, world: ticketWorld(given.action, given.connection, system, clock) };
  };

  it.each(Object.keys(losses) as (keyof typeof losses)[])(
    'makes no second ticket when the answer is lost: %s',
    async (loss) => {
      const { system, world } = open();
      world.loseNext(loss);
      const lost = await world.attempt(command(given.create));
      expect(lost).toMatchObject({ status: 'failed', uncertain: true, retry: 'backoff' });
      const outcome = await world.attempt(command(given.create), again);
      expect(system.refs()).toHaveLength(1);
      expect(outcome).toMatchObject({
        status: 'done',
        ref: system.refs()[0],
        output: { key: system.refs()[0] },
        warnings: expect.arrayContaining([
          expect.stringContaining('an earlier attempt had made this ticket'),
        ]),
      });
    },
  );

  it('H30 waits for an index that lags behind before it makes another one', async () => {
    const { system, world } = open(settleMs - 1);
    world.loseNext('timeout');
    await world.attempt(command(given.create));
    const asked = world.http.requests.length;
    const started = world.clock.now();
    // The first attempt let the time pass; the ticket is as young as in a repeat that follows at once.
    system.remove(system.refs()[0] as string);
    system.answer(world.http.requests[0] as never);
    const outcome = await world.attempt(command(given.create), again);
    expect(outcome).toMatchObject({ status: 'done', ref: system.refs().at(-1) });
    expect(system.refs()).toHaveLength(1);
    expect(world.http.requests.length - asked).toBe(2);
    expect(world.clock.now() - started).toBe(settleMs);
  });

  it('makes the ticket when the earlier attempt left none', async () => {
    const { system, world } = open();
    const outcome = await world.attempt(command(given.create), again);
    expect(outcome).toMatchObject({
      status: 'done',
      warnings: expect.arrayContaining(['an earlier attempt left no ticket']),
    });
    expect(system.refs()).toHaveLength(1);
    expect(world.http.requests.map(({ method }) => method)).toEqual(['GET', 'GET', 'POST']);
  });

  it('finds a ticket that was closed since', async () => {
    const { system, world } = open();
    await world.attempt(command(given.create));
    system.close(system.refs()[0] as string);
    expect(await world.attempt(command(given.create), again)).toMatchObject({
      status: 'done',
      ref: system.refs()[0],
    });
    expect(system.refs()).toHaveLength(1);
  });

  it('makes a ticket for every other command', async () => {
    const { system, world } = open();
    await world.attempt(command(given.create, 'a'));
    await world.attempt(command(given.create, 'b'), again);
    expect(system.refs()).toHaveLength(2);
  });

  it('makes nothing while it cannot look', async () => {
    for (const [answer, outcome] of [
      [503, { retry: 'backoff', code: 'http_5xx' }],
      [new HttpFailure('timeout', 'no answer', { sent: true }), { retry: 'backoff', code: 'timeout' }],
      [{ status: 429, headers: { 'retry-after': '7' } }, { retry: { afterMs: 7_000 } }],
      [401, { retry: 'pause' }],
      [
        { status: 200, body: '<html>login' },
        { code: 'bad_response', retry: 'never' },
      ],
      [{ status: 200, body: '{"x":[', truncated: true }, { code: 'bad_response' }],
    ] as [FakeAnswer, object][]) {
      const { system, world } = open();
      world.http.answer(answer);
      const failed = await world.attempt(command(given.create), again);
      expect(failed).toMatchObject({ status: 'failed', ...outcome });
      expect(failed).not.toHaveProperty('uncertain');
      expect(system.refs()).toHaveLength(0);
    }
  });

  it('stops while it waits, and says that nothing is known', async () => {
    const { system, world } = open();
    const stop = new AbortController();
    const clock = fakeClock();
    const running = ticketWorld(given.action, given.connection, system, {
      ...clock,
      advance: async () => stop.abort(new Error('stop')),
    });
    expect(await running.attempt(command(given.create), { ...again, signal: stop.signal })).toMatchObject({
      code: 'aborted',
      uncertain: true,
    });
    expect(world.http.requests).toHaveLength(0);
    expect(system.refs()).toHaveLength(0);
  });

  it('takes an answer without a key for a failure that is in doubt', async () => {
    const { world } = open();
    world.http.answer(
      { status: 201, body: '{"unexpected":true}' },
      { status: 201, body: '{"key":"SEC', truncated: true },
    );
    for (const _ of [1, 2])
      expect(await world.attempt(command(given.create))).toMatchObject({
        code: 'bad_response',
        retry: 'backoff',
        uncertain: true,
      });
    world.http.answer({ status: 200, body: '<!DOCTYPE html><title>Sign in</title>' });
    expect(await world.attempt(command(given.create))).toMatchObject({
      code: 'bad_response',
      retry: 'never',
    });
  });

  it.each(['comment', 'update', 'nothing'])(
    'uses the open ticket with the same fingerprint: %s',
    async (onFound) => {
      const { system, world } = open();
      const params = given.dedupe(onFound);
      const first = await world.attempt(command(params, 'a'));
      const second = await world.attempt(command(params, 'b'));
      expect(first).toMatchObject({ output: { created: true } });
      expect(second).toMatchObject({
        status: 'done',
        ref: system.refs()[0],
        output: { created: false },
        warnings: expect.arrayContaining(['an open ticket has the same fingerprint: no second one was made']),
      });
      expect(system.refs()).toHaveLength(1);
      expect(system.comments(system.refs()[0] as string)).toHaveLength(onFound === 'comment' ? 1 : 0);
      const other = {
        ...eventCommand({ event: { event: 'x', data: { asset: { id: 'other' }, title: 't' } } }),
        command_id: 'c'.repeat(32),
        type,
        params: { ...params },
      };
      await world.attempt(other);
      system.close(system.refs()[0] as string);
      await world.attempt(command(params, 'd'));
      expect(system.refs()).toHaveLength(3);
    },
  );

  it('has no fingerprint of nothing', async () => {
    const { system, world } = open();
    const empty = {
      ...eventCommand({ event: { event: 'x', data: { title: 't' } } }),
      type,
      params: { ...given.dedupe('comment') },
    };
    expect(await world.attempt(empty)).toMatchObject({
      code: 'template',
      detail: 'dedupe/key: {{data.asset.id}} has no value',
    });
    expect(system.refs()).toHaveLength(0);
  });

  it('adds no second comment when the answer is lost', async () => {
    const { system, world } = open();
    await world.attempt(command(given.create));
    const ref = system.refs()[0] as string;
    const comment = command(given.change('comment', ref), 'b');
    world.loseNext('bad gateway');
    expect(await world.attempt(comment)).toMatchObject({ status: 'failed', uncertain: true });
    const outcome = await world.attempt(comment, again);
    expect(outcome).toMatchObject(
      given.findsComments
        ? { status: 'done', warnings: [expect.stringContaining('had added the comment')] }
        : { status: 'failed', code: 'uncertain', retry: 'never' },
    );
    expect(system.comments(ref)).toHaveLength(1);
    if (!given.findsComments) return;
    await world.attempt({ ...comment, command_id: 'c'.repeat(32) }, again);
    expect(system.comments(ref)).toHaveLength(2);
  });

  it.each(['update', 'comment', 'transition'])('says that a ticket was deleted: %s', async (operation) => {
    const { system, world } = open();
    await world.attempt(command(given.create));
    const ref = system.refs()[0] as string;
    system.remove(ref);
    expect(await world.attempt(command(given.change(operation, ref), 'b'))).toMatchObject({
      status: 'failed',
      code: 'not_found',
      retry: 'never',
      detail: expect.stringContaining(`${ref} does not exist any more`),
    });
  });

  it('leaves a closed ticket alone where it can ask, unless it is told otherwise', async () => {
    const { system, world } = open();
    await world.attempt(command(given.create));
    const ref = system.refs()[0] as string;
    system.close(ref);
    const comment = given.change('comment', ref);
    if (!given.asks)
      return expect(await world.attempt(command(comment, 'b'))).toMatchObject({ status: 'done' });
    expect(await world.attempt(command(comment, 'b'))).toMatchObject({
      code: 'wrong_state',
      retry: 'never',
      detail: expect.stringContaining(`${ref} is closed`),
    });
    expect(system.comments(ref)).toHaveLength(0);
    expect(await world.attempt(command({ ...comment, on_closed: 'proceed' }, 'c'))).toMatchObject({
      status: 'done',
    });
    expect(system.comments(ref)).toHaveLength(1);
  });

  it('moves a ticket, and once is enough', async () => {
    const { system, world } = open();
    await world.attempt(command(given.create));
    const move = command(given.change('transition', system.refs()[0] as string), 'b');
    world.loseNext('bad gateway');
    await world.attempt(move);
    expect(await world.attempt(move, again)).toMatchObject({ status: 'done', ref: system.refs()[0] });
  });

  it('fails without the reference of an earlier step, and never again', async () => {
    const { world } = open();
    expect(
      await world.attempt(command(given.change('comment', '{{steps.ticket.outputs.key}}'))),
    ).toMatchObject({
      code: 'missing_ref',
      retry: 'never',
      detail: expect.stringContaining('{{steps.ticket.outputs.key}} has no value'),
    });
    const missing = { ...given.change('comment', 'x'), ref: null };
    expect(await world.attempt(command(missing))).toMatchObject({ code: 'missing_ref', retry: 'never' });
    expect(world.http.requests).toHaveLength(0);
  });

  it('shows errors in the words of the system, without our credential', async () => {
    const { world } = open();
    const body =
      type === 'jira'
        ? { errorMessages: ['Bad secret-token'], errors: { priority: 'The priority selected is invalid.' } }
        : type === 'gitlab'
          ? { message: { title: ["can't be blank"], base: ['secret-token'] } }
          : { error: { message: 'Invalid\nsecret-token', detail: 'choice' } };
    world.http.answer({ status: 400, body: JSON.stringify(body) });
    const outcome = await world.attempt(command(given.create));
    expect(outcome).toMatchObject({ code: 'http_4xx', retry: 'never' });
    expect(JSON.stringify(outcome)).toContain('[secret]');
    expect(JSON.stringify(outcome)).not.toContain('secret-token');
  });

  it('survives a worker that is killed between the request and its answer', async () => {
    const kit = actionKit(() => ({ status: 'done' }), given.action);
    const { clock } = kit;
    const system = given.system({ now: clock.now, lagMs: 3_000 });
    const http = fakeHttp((request) => system.answer(request));
    const connection = async (): Promise<ResolvedConnection> => given.connection;
    const deaf: HttpPort = {
      send: async (request) => http.send(request).then(() => new Promise(() => undefined)),
    };
    await kit.publish([{ ...command(given.create), connection: 'c' }]);
    const killed = await kit.worker({ ports: { clock, http: deaf }, connection });
    await clock.advance(0);
    expect(system.refs()).toHaveLength(1);
    expect(kit.results()).toEqual([]);
    await killed.crash();
    const next = await kit.worker({ ports: { clock, http }, connection });
    await clock.advance(2 * settleMs);
    expect(system.refs()).toHaveLength(1);
    expect(kit.results()).toMatchObject([
      { status: 'succeeded', ref: system.refs()[0], possible_duplicate: true },
    ]);
    expect(kit.failures).toEqual([]);
    await next.stop();
  });
});
