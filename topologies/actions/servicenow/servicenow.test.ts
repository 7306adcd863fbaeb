// The requests of the ServiceNow action against its Table API reference, and its contract.
import { describe, expect, it } from 'vitest';
import { checkParams } from '../../domain/action/check-params.ts';
import { eventCommand, httpConnection } from '../../testing/fixtures.ts';
import { hostileTexts } from '../../testing/hostile-texts.ts';
import { sendCommand } from '../../testing/send-command.ts';
import { contract } from '../contract.ts';
import { servicenow } from './execute.ts';
import { fakeServiceNow } from './fixtures/fake-servicenow.ts';

const connection = httpConnection(
  {
    id: 'snow',
    host: 'instance.service-now.com',
    auth: { type: 'basic', username: 'tocsin' },
    secrets: { password: { env: 'SNOW_PASSWORD' } },
  },
  { password: 'not-a-real-password' },
);
const id = '9c573169c611228700193229fff72400';
/** The answer of the reference for a new incident, cut to the fields that are asked for. */
const created = {
  status: 201,
  body: JSON.stringify({ result: { sys_id: id, number: 'INC0010002', state: '1', active: 'true' } }),
};
const commandId = eventCommand().command_id;
const fields =
  'sysparm_fields=sys_id,number,state,active,correlation_id,correlation_display&sysparm_display_value=all&sysparm_exclude_reference_link=true';

type Options = Parameters<typeof sendCommand>[3];
const send = (params: Record<string, unknown>, command = eventCommand(), options: Options = {}) =>
  sendCommand(servicenow, { ...command, type: 'servicenow', params }, connection, {
    answers: [created],
    ...options,
  });
const data = (given: Record<string, unknown>) => eventCommand({ event: { event: 'x', data: given } });
const record = (over: Record<string, unknown> = {}) => ({
  status: 200,
  body: JSON.stringify({
    result: [{ sys_id: id, number: 'INC0010002', state: '2', active: 'true', ...over }],
  }),
});

contract(servicenow, {
  folder: new URL('./', import.meta.url),
  params: { summary: 'Host {{host}}' },
  missing: { summary: 'Host {{nowhere.to_be_found}}' },
  connection,
  secrets: ['password'],
  accepted: created.body,
});

describe('servicenow: create', () => {
  it('posts a record with its correlation_id', async () => {
    const { request, body, outcome } = await send({
      summary: 'Unable to connect to office wifi',
      description: 'Since {{timestamp}}',
      urgency: '1',
      impact: '2',
      assignment_group: '287ebd7da9fe198100f92cc8d1d2154e',
      fields: { category: 'network', u_cvss: '{{data.cvss}}' },
    });
    expect(`${request?.method} ${request?.url}`).toBe(
      `POST https://instance.service-now.com/api/now/table/incident?${fields}`,
    );
    expect(body).toEqual({
      category: 'network',
      u_cvss: 9.8,
      short_description: 'Unable to connect to office wifi',
      description: 'Since 2026-04-28T12:00:00Z',
      urgency: '1',
      impact: '2',
      assignment_group: '287ebd7da9fe198100f92cc8d1d2154e',
      correlation_id: commandId,
      correlation_display: 'tocsin',
    });
    expect(outcome).toEqual({
      status: 'done',
      ref: 'INC0010002',
      output: {
        operation: 'create',
        created: true,
        key: 'INC0010002',
        id,
        url: `https://instance.service-now.com/incident.do?sys_id=${id}`,
      },
    });
  });

  it('takes display values and other tables', async () => {
    const { request } = await send({ table: 'sn_si_incident', input_display_value: true });
    expect(request?.url).toBe(
      `https://instance.service-now.com/api/now/table/sn_si_incident?${fields}&sysparm_input_display_value=true`,
    );
  });

  it('cuts what the columns do not hold', async () => {
    const { body } = await send({ summary: '{{t}}', description: '{{t}}' }, data({ t: 'x'.repeat(9_000) }));
    expect(body.short_description).toHaveLength(160);
    expect(body.description).toHaveLength(4_000);
  });

  it('keeps hostile values in their field', async () => {
    for (const [name, value] of Object.entries(hostileTexts)) {
      const { body } = await send(
        { summary: '{{v}}', description: '{{v}}', fields: { u_x: '{{o}}' } },
        data({ v: value, o: { a: value } }),
      );
      expect(body.short_description, name).not.toMatch(/\p{Cc}/u);
      expect(typeof body.u_x, name).toBe('string');
      expect(body.correlation_id, name).toBe(commandId);
    }
  });
});

describe('servicenow: other operations', () => {
  it('finds the record by number, then sets fields and state in one request, then adds the note', async () => {
    const params = {
      operation: 'update',
      ref: 'inc0010002',
      transition: '6',
      fields: { close_code: 'Solution provided' },
      comment: 'Gone [code]<b>x</b>[/code]',
    };
    const { requests, outcome } = await send(params, eventCommand(), {
      answers: [record(), { status: 200, body: '{"result":{}}' }, { status: 200, body: '{"result":{}}' }],
    });
    const root = 'https://instance.service-now.com/api/now/table/incident';
    expect(requests.map(({ method, url }) => `${method} ${url}`)).toEqual([
      `GET ${root}?sysparm_query=number%3DINC0010002&sysparm_limit=1&${fields}`,
      `PATCH ${root}/${id}?${fields}`,
      `PATCH ${root}/${id}?${fields}`,
    ]);
    expect(requests.slice(1).map(({ body }) => JSON.parse(String(body)))).toEqual([
      { close_code: 'Solution provided', state: '6' },
      { work_notes: `Gone [\u200bcode]<b>x</b>[\u200b/code]\n\n[tocsin${commandId}]` },
    ]);
    expect(outcome).toMatchObject({ status: 'done', ref: 'INC0010002' });
  });

  it('takes a sys_id, and comments for the caller', async () => {
    const { requests } = await send(
      { operation: 'comment', ref: id, comment: 'x', comment_field: 'comments' },
      eventCommand(),
      {
        answers: [record(), { status: 200, body: '{"result":{}}' }],
      },
    );
    expect(requests[0]?.url).toContain(`sysparm_query=sys_id%3D${id}&`);
    expect(JSON.parse(String(requests[1]?.body))).toHaveProperty('comments');
  });

  it('puts no value into a query', async () => {
    for (const ref of [
      'INC1^ORnumberISNOTEMPTY',
      "x' OR 1=1",
      'javascript:gs.log()',
      'INC0010001&sysparm_limit=9',
    ]) {
      const { outcome, requests } = await send(
        { operation: 'comment', ref: '{{data.r}}', comment: 'x' },
        data({ r: ref }),
      );
      expect(outcome).toMatchObject({ code: 'missing_ref', retry: 'never' });
      expect(requests).toHaveLength(0);
    }
  });
});

describe('servicenow: answers', () => {
  it.each([
    [
      403,
      'Operation Failed',
      'ACL Exception Insert Failed due to security constraints',
      'http_401_403',
      'pause',
    ],
    [
      403,
      'Operation Failed',
      'Data Policy Exception: The following fields are mandatory: Close notes',
      'http_4xx',
      'never',
    ],
    [
      403,
      'Operation Failed',
      "Operation against file 'incident' was aborted by Business Rule 'Check'",
      'http_4xx',
      'never',
    ],
    [401, 'User Not Authenticated', 'Required to provide Auth information', 'http_401_403', 'pause'],
    [400, 'Invalid table incidnt', null, 'http_4xx', 'never'],
  ])('%i %s: %s', async (status, message, detail, code, retry) => {
    const body = JSON.stringify({ error: { message, detail }, status: 'failure' });
    const { outcome } = await send({}, eventCommand(), { answers: [{ status, body }] });
    expect(outcome).toMatchObject({ code, retry, detail: expect.stringContaining(message) });
  });

  it('believes no record that a dropped condition brought', async () => {
    const system = fakeServiceNow({ now: () => 0, without: 'correlation_id' });
    await send({}, data({ title: 'another' }), { answers: [] });
    system.answer({
      method: 'POST',
      url: 'https://x/api/now/table/incident',
      headers: [],
      timeoutMs: 1,
      body: '{}',
    });
    const found = system.answer({
      method: 'GET',
      url: 'https://x/api/now/table/incident?sysparm_query=correlation_id%3Dabc',
      headers: [],
      timeoutMs: 1,
    });
    const { outcome, requests } = await send({}, eventCommand(), {
      answers: [found],
      context: { possibleDuplicate: true },
    });
    expect(outcome).toMatchObject({
      code: 'uncertain',
      retry: 'never',
      detail: expect.stringContaining('correlation_id'),
    });
    expect(requests).toHaveLength(1);
  });
});

describe('servicenow: parameters', () => {
  it.each([
    [{ table: 'incident;drop' }, '/table'],
    [{ fields: { correlation_id: 'x' } }, '/fields/correlation_id'],
    [{ fields: { work_notes: 'x' } }, '/fields/work_notes'],
    [{ fields: { short_description: 'x' } }, '/fields/short_description'],
    [{ urgency: '{{' }, '/urgency'],
    [{ comment_field: 'comments' }, '/comment_field'],
    [{ operation: 'comment', ref: 'INC0010001' }, '/comment'],
  ])('%j', (params, path) => {
    expect(checkParams(servicenow, params).map((issue) => issue.path)).toContain(path);
  });

  it('needs a credential of ServiceNow', () => {
    expect(
      servicenow.checkConnection?.({}, { ...connection.config, auth: { type: 'splunk' } } as never),
    ).toHaveLength(1);
    expect(servicenow.checkConnection?.({}, connection.config)).toEqual([]);
  });
});
