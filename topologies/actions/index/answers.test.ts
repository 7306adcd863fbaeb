import { describe, expect, it } from 'vitest';
import { eventCommand, rowsCommand } from '../../testing/fixtures.ts';
import { send } from './fixtures/send.ts';

const three = rowsCommand([{ host: 'a' }, { host: 'b' }, { host: 'c' }]);
const item = (status: number, type?: string, reason = 'words', verb = 'create') => ({
  [verb]: { status, ...(type === undefined ? {} : { error: { type, reason } }) },
});
const answer = (...items: object[]) => ({ status: 200, body: JSON.stringify({ errors: true, items }) });
const conflict = item(409, 'version_conflict_engine_exception');
const mapping = item(
  400,
  'mapper_parsing_exception',
  "failed to parse field [source.port] of type [integer] in document with id 'x'. Preview of field's value: 'hunter2'",
);
const subject = 'POST https://siem.example.com:9200';

describe('index: answers', () => {
  it('counts what was written and what was there already', async () => {
    const { outcome } = await send({}, three, answer(item(201), conflict, item(200)));
    expect(outcome).toEqual({ status: 'done', output: { written: 2, already_there: 1 } });
    expect((await send({}, eventCommand(), answer(conflict))).outcome).toMatchObject({ status: 'done' });
    // An older version than the one that is there.
    const older = answer(item(409, 'version_conflict_engine_exception', 'x', 'index'));
    const params = { operation: 'update', id: '{{data.finding_id}}', version: 'event_time' };
    expect((await send(params, eventCommand(), older)).outcome).toMatchObject({ status: 'done' });
  });

  it('is done when some are refused for good: each is undelivered by itself', async () => {
    const { outcome } = await send({}, three, answer(item(201), mapping, conflict));
    const detail = `row 1: ${subject}: 400 mapper_parsing_exception, field source.port`;
    expect(outcome).toEqual({
      status: 'done',
      output: { written: 1, already_there: 1, refused: 1 },
      warnings: [detail],
      undelivered: [{ to: 'row 1', code: 'index_mapping', detail }],
    });
    expect(JSON.stringify(outcome)).not.toContain('hunter2');
  });

  it('fails when all are refused, and says for how many', async () => {
    expect((await send({}, three, answer(mapping, mapping, mapping))).outcome).toEqual({
      status: 'failed',
      code: 'index_mapping',
      retry: 'never',
      detail: `${subject}: 400 mapper_parsing_exception, field source.port, and so for 2 more`,
    });
  });

  it('tries everything again as long as one may get through', async () => {
    const full = item(429, 'es_rejected_execution_exception');
    expect((await send({}, three, answer(item(201), mapping, full))).outcome).toMatchObject({
      code: 'http_429',
      retry: 'backoff',
    });
    expect(
      (await send({}, three, answer(full, item(403, 'security_exception'), mapping))).outcome,
    ).toMatchObject({
      retry: 'pause',
    });
  });

  it.each([
    [400, 'mapper_parsing_exception', 'index_mapping', 'never'],
    [400, 'document_parsing_exception', 'index_mapping', 'never'],
    [400, 'strict_dynamic_mapping_exception', 'index_mapping', 'never'],
    [404, 'index_not_found_exception', 'index_missing', 'never'],
    [400, 'invalid_index_name_exception', 'index_name', 'never'],
    [400, 'illegal_argument_exception', 'index_rejected', 'never'],
    [429, 'es_rejected_execution_exception', 'http_429', 'backoff'],
    [429, 'circuit_breaking_exception', 'http_429', 'backoff'],
    [403, 'cluster_block_exception', 'index_rejected', 'backoff'],
    [403, 'security_exception', 'http_401_403', 'pause'],
    [503, 'unavailable_shards_exception', 'http_5xx', 'backoff'],
    [500, 'no_such_thing', 'http_5xx', 'backoff'],
    [400, 'constructor', 'index_rejected', 'never'],
  ])('item %i %s', async (status, type, code, retry) => {
    expect((await send({}, eventCommand(), answer(item(status, type)))).outcome).toMatchObject({
      status: 'failed',
      code,
      retry,
    });
  });

  it('tries again when merges conflict to the end', async () => {
    const params = { operation: 'update', id: '{{data.finding_id}}' };
    const conflicting = answer(item(409, 'version_conflict_engine_exception', 'x', 'update'));
    expect((await send(params, eventCommand(), conflicting)).outcome).toMatchObject({
      code: 'index_rejected',
      retry: 'backoff',
    });
  });

  it('reads the error of a whole request', async () => {
    const whole = (status: number, type: string) => ({
      status,
      body: JSON.stringify({ error: { type, reason: "no such index [x], secret 'hunter2'" }, status }),
    });
    const missing = await send({}, eventCommand(), whole(404, 'index_not_found_exception'));
    expect(missing.outcome).toMatchObject({ code: 'index_missing', retry: 'never', status_code: 404 });
    expect(JSON.stringify(missing.outcome)).not.toContain('hunter2');
    for (const [type, code, retry] of [
      ['cluster_block_exception', 'index_rejected', 'backoff'],
      ['security_exception', 'http_401_403', 'pause'],
    ] as const)
      expect((await send({}, eventCommand(), whole(403, type))).outcome, type).toMatchObject({ code, retry });
  });

  it('believes no answer that is not one of a cluster', async () => {
    for (const body of ['', '<html>login</html>', '{}', '[]', '{"errors":true}', '{"errors":"no"}'])
      expect((await send({}, three, { status: 200, body })).outcome, body).toMatchObject({
        code: 'bad_response',
        retry: 'never',
      });
    // Elasticsearch 7.10.2 was seen to answer with more items than it was sent.
    expect((await send({}, three, answer(item(201)))).outcome).toMatchObject({
      code: 'bad_response',
      retry: 'backoff',
    });
    expect((await send({}, three, { status: 200, body: '{"err', truncated: true })).outcome).toMatchObject({
      code: 'bad_response',
      retry: 'backoff',
    });
  });
});
