// Runs of jobs: the record and the request as documented, what is no job and no time, loops, and what schedulers answer.
import { checkDocument } from '@tocsin/schemas/codecs/validate.ts';
import type { Command, JobRequest } from '@tocsin/schemas/types.ts';
import { describe, expect, it } from 'vitest';
import { checkParams } from '../../domain/action/check-params.ts';
import { contextFor, fakes } from '../../testing/action-fakes.ts';
import { eventCommand, httpConnection, rowsCommand } from '../../testing/fixtures.ts';
import { hostileTexts } from '../../testing/hostile-texts.ts';
import { sendCommand } from '../../testing/send-command.ts';
import { contract } from '../contract.ts';
import { runJob } from './execute.ts';

const scheduler = httpConnection({ auth: { type: 'bearer' } }, { token: 'x' });

contract(runJob, {
  folder: new URL('./', import.meta.url),
  params: { job: 'look', parameters: { host: '{{host}}' } },
  missing: { job: 'look', parameters: { host: '{{nowhere.to_be_found}}' } },
  connection: null,
  secrets: [],
  uses: ['records'],
});
contract(runJob, {
  folder: new URL('./', import.meta.url),
  params: { via: 'http', job: '{{host}}' },
  missing: { via: 'http', job: 'look', global_params: '{{nowhere.to_be_found}}' },
  connection: scheduler,
  secrets: ['token'],
  accepted: '{"run_id":"r-1"}',
  uses: ['http'],
});

async function ask(
  params: Record<string, unknown>,
  command: Command = rowsCommand([{ 'source.ip': '192.0.2.1' }], { mode: 'first' }),
) {
  const ports = fakes();
  const outcome = await runJob.execute({ ...command, params }, contextFor(runJob, ports));
  const [append = []] = ports.records.appends;
  return { outcome, append, request: append[0] && (JSON.parse(append[0].value) as JobRequest) };
}
const check = (params: Record<string, unknown>) => checkParams(runJob, params).map(({ path }) => path);

describe('run-job: record', () => {
  it('C71: is the documented one, under the key of the job', async () => {
    const { append, request, outcome } = await ask({
      job: 'logins-of-{{team}}',
      parameters: { address: '{{source.ip}}', limit: 500, deep: { names: ['{{rule.id}}', true] } },
      global_params: '{{search.global_params}}',
      time_from: '{{search.time_from}}',
      time_to: '2026-04-28T14:30:00+02:00',
    });
    expect(append).toMatchObject([{ topic: 'job-requests.v1', key: 'logins-of-blue' }]);
    expect(request).toEqual({
      v: 1,
      command_id: '0123456789abcdef0123456789abcdef',
      correlation_id: '0123456789abcdef0123456789abcdef',
      requested_at: '2026-04-28T12:00:00.005Z',
      hops: 0,
      source: { id: 'job-7/run-1' },
      action: 'notify',
      rule: 'critical-findings',
      job: 'logins-of-blue',
      parameters: { address: '192.0.2.1', limit: 500, deep: { names: ['critical-findings', true] } },
      global_params: { team: 'blue', threshold: 5 },
      time_from: '2026-04-28T11:00:00.000Z',
      time_to: '2026-04-28T12:30:00.000Z',
    });
    expect(checkDocument('job-request.json', request)).toEqual([]);
    expect(outcome).toEqual({
      status: 'done',
      output: { correlation_id: '0123456789abcdef0123456789abcdef', job: 'logins-of-blue' },
    });
  });

  it('has no more than it was told', async () => {
    const { request } = await ask({ job: 'look' }, eventCommand());
    expect(Object.keys(request ?? {}).sort()).toEqual(
      ['v', 'command_id', 'correlation_id', 'requested_at', 'hops', 'source', 'action', 'rule', 'job'].sort(),
    );
    expect(checkDocument('job-request.json', request)).toEqual([]);
  });

  it('is one run in mode all, which sees the rows', async () => {
    const rows = [{ host: 'a' }, { host: 'b' }];
    const { append, request } = await ask(
      { job: 'look', parameters: { rows: '{{rows}}', first: '{{host}}' } },
      rowsCommand(rows),
    );
    expect(append.length).toBe(1);
    expect(request?.parameters).toEqual({ rows, first: 'a' });
  });

  it('leaves a value that is missing null, with a warning, and a tree that is missing out', async () => {
    const { request, outcome } = await ask({
      job: 'look',
      parameters: { a: '{{none}}' },
      global_params: '{{search.none}}',
    });
    expect(request?.parameters).toEqual({ a: null });
    expect(request).not.toHaveProperty('global_params');
    expect(outcome).toMatchObject({
      warnings: [
        'parameters: {{none}} has no value and was left empty',
        'global_params: {{search.none}} has no value and was left empty',
      ],
    });
  });

  it.each([
    [{ job: '{{none}}' }, 'template', 'job: {{none}} has no value'],
    [{ job: 'x{{empty}}' }, 'template', 'job: {{empty}} has no value'],
    [{ job: '{{lines}}' }, 'invalid_body', 'job: "a\\nb" is no id of a job'],
    [{ job: '{{long}}' }, 'invalid_body', 'is no id of a job'],
    [{ job: 'a', time_from: '{{none}}' }, 'template', 'time_from: {{none}} has no value'],
    [{ job: 'a', time_to: '{{lines}}' }, 'invalid_body', 'time_to: "a\\nb" is no point in time'],
    [{ job: 'a', time_from: '2026-02-30' }, 'invalid_params', '/time_from: is no point in time'],
    [
      { job: 'a', time_from: '{{search.time_to}}', time_to: '{{search.time_from}}' },
      'invalid_body',
      'time_to: 2026-04-28T11:00:00.000Z is before 2026-04-28T12:00:00.000Z',
    ],
    [{ job: 'a', parameters: '{{lines}}' }, 'invalid_body', 'parameters: {{lines}} is no object'],
    [{ job: 'a', parameters: '{{rows}}' }, 'invalid_body', 'parameters: {{rows}} is no object'],
  ])('asks for nothing with %j', async (params, code, detail) => {
    const row = { lines: 'a\nb', long: 'x'.repeat(257), empty: '' };
    const { outcome, append } = await ask(params, rowsCommand([row], { mode: 'first' }));
    expect(append).toEqual([]);
    expect(outcome).toMatchObject({ status: 'failed', code, retry: 'never' });
    expect(outcome.status === 'failed' && outcome.detail).toContain(detail);
  });

  it('takes a range of no length, and either end alone', async () => {
    const at = '2026-04-28T12:00:00Z';
    expect((await ask({ job: 'a', time_from: at, time_to: at })).outcome.status).toBe('done');
    expect((await ask({ job: 'a', time_to: at })).request).toMatchObject({
      time_to: '2026-04-28T12:00:00.000Z',
    });
  });

  it('has hostile values as values', async () => {
    for (const hostile of Object.values(hostileTexts).filter((text) => text.length < 1000)) {
      const { request } = await ask(
        { job: 'a', parameters: { x: '{{text}}', y: 'see {{text}}' } },
        rowsCommand([{ text: hostile }], { mode: 'first' }),
      );
      expect(request?.parameters).toEqual({ x: hostile, y: `see ${hostile}` });
    }
  });

  it('is not written behind more than five actions', async () => {
    expect((await ask({ job: 'a' }, eventCommand({ hops: 5 }))).request).toMatchObject({ hops: 5 });
    const { outcome, append } = await ask({ job: 'a' }, eventCommand({ hops: 6 }));
    expect([append.length, outcome]).toEqual([
      0,
      {
        status: 'failed',
        code: 'loop_detected',
        retry: 'never',
        detail: '6 actions lie behind this command, itself included; at most 5 may',
      },
    ]);
  });
});

describe('run-job: call', () => {
  const call = (params: Record<string, unknown>, body = '{"run_id":"r-1"}', status = 200) =>
    sendCommand(
      runJob,
      { ...rowsCommand([{ host: 'a' }], { mode: 'first' }), params: { via: 'http', ...params } },
      scheduler,
      { answers: [{ status, body }] },
    );

  it('posts what is set, with the command id as its key', async () => {
    const { request, body, outcome } = await call(
      { job: 'a/b', parameters: { host: '{{host}}' }, time_from: '2026-01-01' },
      '{"data":{"id":42}}',
      202,
    );
    expect(request).toMatchObject({ method: 'POST', url: 'https://siem.example.com/api/jobs/a%2Fb/runs' });
    expect(request?.headers).toContainEqual(['idempotency-key', '0123456789abcdef0123456789abcdef']);
    expect(body).toEqual({
      parameters: { host: 'a' },
      time_from: '2026-01-01T00:00:00.000Z',
      correlation_id: '0123456789abcdef0123456789abcdef',
    });
    expect(outcome).toMatchObject({
      status: 'done',
      ref: '42',
      output: { job: 'a/b', run_id: '42', status_code: 202 },
    });
  });

  it('has the path and body of another scheduler', async () => {
    const { request, body, outcome } = await call(
      {
        job: '42',
        path: '/v2/jobs/{{request.job}}/execute',
        body: { args: '{{request.parameters}}', ref: '{{request.correlation_id}}' },
        parameters: { host: '{{host}}' },
        id_at: '/execution/id',
      },
      '{"execution":{"id":"e-1"},"id":"other"}',
    );
    expect(request?.url).toBe('https://siem.example.com/v2/jobs/42/execute');
    expect(body).toEqual({ args: { host: 'a' }, ref: '0123456789abcdef0123456789abcdef' });
    expect(outcome).toMatchObject({ ref: 'e-1' });
  });

  it.each([
    [404, 'http_4xx', 'never'],
    [409, 'http_4xx', 'backoff'],
    [423, 'http_4xx', 'backoff'],
    [200, 'bad_response', 'never'],
  ])('answered %i is %s, %s', async (status, code, retry) => {
    const { outcome } = await call({ job: 'a' }, '{"status":"?"}', status);
    expect(outcome).toMatchObject({ status: 'failed', code, retry });
  });

  it('waits for a person when nobody knows whether it arrived; a record is repeated', () => {
    expect(runJob.idempotencyOf?.({ job: 'a', via: 'http' })).toBe('none');
    expect(runJob.idempotencyOf?.({ job: 'a' })).toBe('key');
  });
});

describe('run-job: parameters', () => {
  it.each([
    [{}, ['/job']],
    [{ job: '' }, ['/job']],
    [{ job: '{{>x}}' }, ['/job']],
    [{ job: 'a', parameters: 'text' }, ['/parameters']],
    [{ job: 'a', parameters: 'x{{y}}' }, ['/parameters']],
    [{ job: 'a', parameters: '{{#y}}{{/y}}' }, ['/parameters']],
    [{ job: 'a', global_params: { a: { b: '{{' } } }, ['/global_params/a/b']],
    [{ job: 'a', parameters: ['a'] }, ['/parameters']],
    [{ job: 'a', time_from: 'yesterday' }, ['/time_from']],
    [{ job: 'a', time_to: '{{x' }, ['/time_to']],
    [{ job: 'a', id_at: '/id' }, ['/id_at']],
    [{ job: 'a', via: 'http', id_at: 'id' }, ['/id_at']],
    [{ job: 'a', via: 'http', path: '/../x' }, ['/path']],
  ])('%j: %j', (params, paths) => expect(check(params)).toEqual(paths));

  it('C72: runs once for the first result', () => expect(runJob.manifest.runOnce).toBe('first'));
});
