// The generic ticket action: what its templates become, what counts as found, and its contract.
import { describe, expect, it } from 'vitest';
import { checkParams } from '../../domain/action/check-params.ts';
import { contextFor, contractNow, fakes } from '../../testing/action-fakes.ts';
import { eventCommand, httpConnection } from '../../testing/fixtures.ts';
import { sendCommand } from '../../testing/send-command.ts';
import { contract } from '../contract.ts';
import { ticket } from './execute.ts';
import { comment, create, find, findOpen, transition, update } from './fixtures/fake-desk.ts';

const connection = httpConnection(
  {
    id: 'desk',
    host: 'desk.example.com',
    base_path: '/itsm',
    auth: { type: 'bearer' },
    secrets: { token: { env: 'DESK' } },
  },
  { token: 'not-a-real-token' },
);
const created = { status: 201, body: '{"ticket":{"id":77,"url":"https://desk.example.com/t/77"}}' };
const commandId = eventCommand().command_id;

type Options = Parameters<typeof sendCommand>[3];
const send = (params: Record<string, unknown>, command = eventCommand(), options: Options = {}) =>
  sendCommand(ticket, { ...command, type: 'ticket', params }, connection, { answers: [created], ...options });
const data = (given: Record<string, unknown>) => eventCommand({ event: { event: 'x', data: given } });

contract(ticket, {
  folder: new URL('./', import.meta.url),
  params: { create: { ...create, body: { subject: '{{host}}' } } },
  missing: { create: { ...create, body: { subject: 'Host {{nowhere.to_be_found}}' } } },
  connection,
  secrets: ['token'],
  accepted: created.body,
});

describe('ticket: requests', () => {
  it('makes a ticket with the mark and the idempotency key', async () => {
    const { request, body, outcome } = await send({
      create: { ...create, params: [{ name: 'notify', value: '{{data.severity}} &' }] },
    });
    expect(`${request?.method} ${request?.url}`).toBe(
      'POST https://desk.example.com/itsm/api/v2/tickets?notify=critical%20%26',
    );
    expect(request?.headers).toContainEqual(['idempotency-key', commandId]);
    expect(body).toEqual({
      subject: 'Host SQL Injection in /api/login',
      external_id: `tocsin${commandId}`,
      tag: null,
    });
    expect(outcome).toMatchObject({
      status: 'done',
      ref: '77',
      output: { url: 'https://desk.example.com/t/77' },
    });
  });

  it('puts the reference into path and body, encoded', async () => {
    for (const [name, request, expected] of [
      ['comment', comment, 'POST /itsm/api/v2/tickets/a%2Fb%3F/notes'],
      ['update', update, 'PUT /itsm/api/v2/tickets/a%2Fb%3F'],
      ['transition', transition, 'POST /itsm/api/v2/tickets/a%2Fb%3F/state'],
    ] as const) {
      const { request: sent } = await send(
        { operation: name, ref: '{{data.r}}', [name]: request },
        data({ r: 'a/b?' }),
        { answers: [200] },
      );
      expect(`${sent?.method} ${sent?.url}`).toBe(expected.replace(' ', ' https://desk.example.com'));
    }
    expect(
      (await send({ operation: 'comment', ref: '{{data.r}}', comment }, data({ r: '..' }))).outcome,
    ).toMatchObject({
      code: 'template',
      detail: 'comment/path: a token would climb to another path',
    });
  });

  it('makes text of objects, so that no value adds members', async () => {
    const { body } = await send(
      { create: { ...create, body: { a: '{{o}}', b: ['{{n}}'] } } },
      data({ o: { admin: true }, n: 4 }),
    );
    expect(body).toEqual({ a: '{"admin":true}', b: [4] });
  });

  it.each([
    ['{"ticket":{"id":"T-1"}}', 'T-1'],
    ['{"ticket":{"id":0}}', '0'],
    ['{"ticket":{"id":null}}', null],
    ['{"ticket":{"id":""}}', null],
    ['{"ticket":{"id":{"x":1}}}', null],
    ['{"ticket":{"id":"a\\nb"}}', null],
    ['{"ticket":[]}', null],
    ['{}', null],
    ['', null],
    ['null', null],
  ])('A14: reads the reference in %s', async (body, ref) => {
    const { outcome } = await send({ create }, eventCommand(), { answers: [{ status: 201, body }] });
    if (ref === null) expect(outcome).toMatchObject({ status: 'failed', code: 'bad_response' });
    else expect(outcome).toMatchObject({ status: 'done', ref });
  });

  it.each([
    ['{"tickets":[{"id":5}]}', ['GET'], '5'],
    ['{"tickets":[]}', ['GET', 'GET', 'POST'], '77'],
    ['{"tickets":null}', ['GET', 'GET', 'POST'], '77'],
  ])('takes %s for what it says', async (body, methods, ref) => {
    const answer = { status: 200, body };
    const ports = fakes();
    ports.http.answer(answer, ...(methods.length > 1 ? [answer, created] : []));
    const running = ticket.execute(
      { ...eventCommand(), type: 'ticket', params: { create, find } },
      contextFor(ticket, ports, { connection, possibleDuplicate: true }),
    );
    await ports.clock.advance(5_000);
    expect(await running).toMatchObject({ status: 'done', ref });
    expect(ports.http.requests.map(({ method }) => method)).toEqual(methods);
  });

  it('holds what it cannot look for, unless it may repeat', async () => {
    const again = { context: { possibleDuplicate: true } };
    const held = await send({ create }, eventCommand(), again);
    expect(held.outcome).toMatchObject({ code: 'uncertain', retry: 'never' });
    expect(held.requests).toHaveLength(0);
    const ports = fakes(created);
    const running = ticket.execute(
      { ...eventCommand(), type: 'ticket', on_uncertain: 'retry', params: { create } },
      contextFor(ticket, ports, { connection, possibleDuplicate: true }),
    );
    await ports.clock.advance(5_000);
    expect(await running).toMatchObject({
      status: 'done',
      warnings: expect.arrayContaining(['an earlier attempt may have made a ticket, too']),
    });
  });

  it('takes the statuses of ok for success', async () => {
    const params = { operation: 'transition', ref: '5', transition: { ...transition, ok: [404, 409] } };
    for (const status of [404, 409])
      expect((await send(params, eventCommand(), { answers: [status] })).outcome).toMatchObject({
        status: 'done',
      });
    expect((await send(params, eventCommand(), { answers: [400] })).outcome).toMatchObject({
      code: 'http_4xx',
    });
  });

  it('shows its first requests', () => {
    const params = { create, find_open: findOpen, comment, dedupe: { key: 'k' } };
    const shown = ticket.preview?.({ ...eventCommand(), params }, { connection, now: contractNow });
    expect(shown).toMatchObject({
      output: {
        requests: [
          { method: 'POST', body: { open: true } },
          { method: 'POST', body: { tag: expect.stringMatching(/^tocsinfp/) } },
        ],
      },
    });
    const lost = { operation: 'comment', ref: '5', comment: { path: '/a/{{nothing}}', body: {} } };
    expect(
      ticket.preview?.({ ...eventCommand(), params: lost }, { connection, now: contractNow }),
    ).toMatchObject({ code: 'template' });
  });
});

describe('ticket: parameters', () => {
  it.each([
    [{}, '/create'],
    [{ create: { path: '/x' } }, '/create/ref'],
    [{ create: { path: '/x', ref: 'id' } }, '/create/ref'],
    [{ create: { ...create, path: '/x?y=1' } }, '/create/path'],
    [{ create: { ...create, path: '//evil' } }, '/create/path'],
    [{ create: { ...create, body: { '{{k}}': 1 } } }, '/create/body/{{k}}'],
    [{ create: { ...create, method: 'GET' } }, '/create/body'],
    [{ create: { ...create, params: [{ name: 'a', value: '{{' }] } }, '/create/params/0/value'],
    [{ create, dedupe: { key: 'k' } }, '/find_open'],
    [{ create, find_open: findOpen, dedupe: { key: 'k' } }, '/comment'],
    [{ create, find_open: findOpen, dedupe: { key: 'k', on_found: 'update' } }, '/update'],
    [{ create, ref: 'x' }, '/ref'],
    [{ operation: 'comment', ref: 'x' }, '/comment'],
    [{ operation: 'comment', comment }, '/ref'],
    [{ operation: 'comment', ref: 'x', comment, dedupe: { key: 'k' } }, '/dedupe'],
  ])('%j', (params, path) => {
    expect(checkParams(ticket, params).map((issue) => issue.path)).toContain(path);
  });
});
