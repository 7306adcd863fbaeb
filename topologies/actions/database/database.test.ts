import { describe, expect, it } from 'vitest';
import { DatabaseFailure, type DatabaseFailureClass } from '../../ports/database.ts';
import { column } from '../../ports/fakes/database.ts';
import { contractNow, fakes } from '../../testing/action-fakes.ts';
import { eventCommand, httpConnection, rowsCommand } from '../../testing/fixtures.ts';
import { contract } from '../contract.ts';
import { database } from './execute.ts';
import { check, databaseConnection, send, textTable } from './fixtures/send.ts';

contract(database, {
  folder: new URL('./', import.meta.url),
  params: {
    table: 'soc.logins',
    columns: { host: '{{host}}', rule: '{{rule.name}}' },
    command_id_column: 'id',
  },
  missing: { table: 'soc.logins', columns: { host: 'x{{nowhere.to_be_found}}' } },
  connection: databaseConnection(),
  secrets: ['password'],
  tables: { 'soc.logins': textTable(['host', 'rule', 'id'], [['id']]) },
});

const id = eventCommand().command_id;
const rows = [
  { host: 'a', n: 1 },
  { host: 'b', n: 2 },
];

describe('database: rows', () => {
  it('writes the data of an event by the names of its fields', async () => {
    const { outcome, statements } = await send({}, textTable(['title', 'cvss', 'asset', 'else']));
    expect(statements).toEqual([
      {
        sql: 'INSERT INTO "t" ("title", "cvss", "asset") VALUES ($1, $2, $3)',
        values: [
          'SQL Injection in /api/login',
          '9.8',
          '{"id":"a-1001","name":"api.example.com","type":"domain"}',
        ],
      },
    ]);
    expect(outcome).toMatchObject({ status: 'done', output: { table: 't', operation: 'insert', rows: 1 } });
    expect(outcome).toMatchObject({
      warnings: expect.arrayContaining(['columns: "severity" is no column of t and was left out']),
    });
  });

  it('C40 takes the names of tables and columns from nowhere but the parameters and the table', async () => {
    const hostile = "host\") VALUES ('x'); DROP TABLE t;--";
    const command = rowsCommand([{ host: 'a', [hostile]: 'b', __proto__x: 1 }]);
    const { statements } = await send({}, textTable(['host', 'constructor']), command);
    expect(statements).toEqual([{ sql: 'INSERT INTO "t" ("host") VALUES ($1)', values: ['a'] }]);
    expect((await send({ unknown_columns: 'refuse' }, textTable(['host']), command)).outcome).toMatchObject({
      code: 'db_object',
      retry: 'never',
    });
    // A table may really have such a column.
    const odd = await send({}, textTable([hostile]), command);
    expect(odd.statements[0]?.sql).toBe(`INSERT INTO "t" ("${hostile.replace('"', '""')}") VALUES ($1)`);
  });

  it('T43 binds hostile values and never reads them as templates', async () => {
    const title = "'); drop table y;-- {{rule.name}} $1 ? @p1";
    const event = { event: 'x', data: { title } };
    const { statements } = await send(
      { columns: { a: '{{data.title}}' } },
      textTable(['a']),
      eventCommand({ event }),
    );
    expect(statements).toEqual([{ sql: 'INSERT INTO "t" ("a") VALUES ($1)', values: [title] }]);
  });

  it('maps columns to templates, paths and literals, each row by itself', async () => {
    const params = {
      columns: { who: 'host {{host}}', n: { $: 'n' }, rule: '{{rule.name}}', k: 7, gone: { $: 'no.such' } },
    };
    const shape = textTable(['who', 'n', 'rule', 'k', 'gone']);
    const { statements, outcome } = await send(params, shape, rowsCommand(rows));
    expect(statements).toEqual([
      {
        sql: 'INSERT INTO "t" ("who", "n", "rule", "k", "gone") VALUES ($1, $2, $3, $4, $5), ($6, $7, $8, $9, $10)',
        values: [
          'host a',
          '1',
          'Critical findings',
          '7',
          null,
          'host b',
          '2',
          'Critical findings',
          '7',
          null,
        ],
      },
    ]);
    expect(outcome).toMatchObject({ warnings: ['columns: {{no.such}} has no value and was left empty'] });
  });

  it('C42 gives each row of a set an id of its own, and one row that of the command', async () => {
    const params = { command_id_column: 'id' };
    const shape = textTable(['host', 'n', 'id'], [['id']]);
    const all = await send(params, shape, rowsCommand(rows));
    expect(all.statements[0]?.values).toEqual(['a', '1', `${id}-0`, 'b', '2', `${id}-1`]);
    const first = await send(params, shape, rowsCommand([rows[0]!], { mode: 'first' }));
    expect(first.statements[0]?.values).toEqual(['a', '1', id]);
    // The data cannot say another one.
    const forged = await send(params, shape, rowsCommand([{ host: 'a', id: 'forged' }], { mode: 'each' }));
    expect(forged.statements[0]?.values).toEqual(['a', id]);
  });

  it('writes the last of rows with one key, and nothing without a key', async () => {
    const params = { operation: 'upsert', key_columns: ['host'] };
    const shape = textTable(['host', 'n'], [['host']]);
    const twice = rowsCommand([...rows, { host: 'a', n: 3 }]);
    const { statements, outcome } = await send(params, shape, twice);
    expect(statements[0]?.values).toEqual(['b', '2', 'a', '3']);
    expect(outcome).toMatchObject({
      warnings: ['key_columns: of rows with the same key only the last was written'],
    });
    const keyless = await send(params, shape, rowsCommand([...rows, { n: 3 }]));
    expect(keyless.statements).toEqual([]);
    expect(keyless.outcome).toMatchObject({
      code: 'db_value',
      detail: 'row 2: key column host has no value',
    });
  });

  it('C41: names the column of a value that does not fit, and writes none of the rows', async () => {
    const shape = {
      columns: [column('host', { maxLength: 3 }), column('n', { kind: 'integer' })],
      uniqueKeys: [],
    };
    const long = await send({}, shape, rowsCommand([...rows, { host: 'abcd', n: 1 }]));
    expect(long.outcome).toMatchObject({
      code: 'db_value',
      retry: 'never',
      detail: 'row 2: column "host" takes 3 characters, and the text has 4',
    });
    expect(long.statements).toEqual([]);
    const nul = await send({}, shape, rowsCommand([{ host: 'a\u0000', n: 1 }], { mode: 'each' }));
    expect(nul.outcome).toMatchObject({
      code: 'db_value',
      detail: expect.stringMatching(/"host".*null character/),
    });
  });

  it('says which of the rows to update are not there', async () => {
    const ports = fakes();
    ports.database.affects(0);
    const params = { operation: 'update', key_columns: ['host'] };
    const { outcome } = await send(
      params,
      textTable(['host', 'n']),
      rowsCommand(rows),
      databaseConnection(),
      ports,
    );
    expect(outcome).toMatchObject({
      output: { rows: 0 },
      warnings: ['t: 2 of 2 rows to update are not there'],
    });
  });

  it('writes nothing for an empty set', async () => {
    const { outcome, statements } = await send({}, textTable(['host']), rowsCommand([]));
    expect(outcome).toMatchObject({ status: 'done', output: { rows: 0 } });
    expect(statements).toEqual([]);
  });
});

describe('database: what cannot work', () => {
  it.each([
    [{ table: 'x"; drop table y;--' }, '/table'],
    [{ table: '{{data.table}}' }, '/table'],
    [{ table: 'a.b.c' }, '/table'],
    [{ table: 'a`b' }, '/table'],
    [{ table: 'a]b' }, '/table'],
    [{ table: "a'b" }, '/table'],
    [{ table: 'a;b' }, '/table'],
    [{ table: '.a' }, '/table'],
    [{ table: 'a\u0000' }, '/table'],
    [{ table: 't', columns: { 'a"b': 1 } }, '/columns/a"b'],
    [{ table: 't', columns: { '{{x}}': 1 } }, '/columns/{{x}}'],
    [{ table: 't', columns: { a: '{{{raw}}}' } }, '/columns/a'],
    [{ table: 't', columns: { a: { $: 'a}} {{b' } } }, '/columns/a/$'],
    [{ table: 't', columns: { a: { $: '' } } }, '/columns/a/$'],
    [{ table: 't', operation: 'update' }, '/key_columns'],
    [{ table: 't', operation: 'upsert', columns: { a: 1 }, key_columns: ['b'] }, '/key_columns/0'],
    [{ table: 't', operation: 'update', columns: { a: 1 }, key_columns: ['a'] }, '/columns'],
    [{ table: 't', key_columns: ['a'] }, '/key_columns'],
    [{ table: 't', columns: { a: 1 }, command_id_column: 'a' }, '/command_id_column'],
    [{ table: 't', columns: { a: 1 }, unknown_columns: 'drop' }, '/unknown_columns'],
    [{ table: 't', operation: 'delete' }, '/operation'],
  ])('refuses %j', (params, path) => {
    expect(check(params)).toContain(path);
  });

  it('takes plain names, schemas, reserved words and other scripts', () => {
    for (const table of ['t', 'soc.events', 'order', 'Größe.表', '#temp', 'a b'])
      expect(check({ table, columns: { 'source.ip': '{{source.ip}}', '@timestamp': 1 } }), table).toEqual([]);
  });

  it('C41: fails for a table, a column or a unique index that is not there', async () => {
    const command = rowsCommand(rows);
    expect((await send({ table: 'other' }, textTable(['host']), command)).outcome).toMatchObject({
      code: 'db_object',
      retry: 'never',
      detail: expect.stringContaining('other does not exist'),
    });
    for (const [params, words] of [
      [{ columns: { gone: 1 } }, 'no column gone'],
      [{ command_id_column: 'host' }, 'no unique index on host'],
      [{ operation: 'upsert', key_columns: ['host'] }, 'no unique index on host'],
    ] as const)
      expect(
        (await send(params, textTable(['host', 'n'], [['host', 'n']]), command)).outcome,
        words,
      ).toMatchObject({
        code: 'db_object',
        detail: expect.stringContaining(words),
      });
    expect((await send({}, textTable(['x']), command)).outcome).toMatchObject({ code: 'db_object' });
  });

  it('is not carried out over another connection', async () => {
    const { outcome } = await send({}, textTable(['host']), rowsCommand(rows), httpConnection());
    expect(outcome).toMatchObject({ code: 'invalid_params' });
  });
});

describe('database: failures', () => {
  it.each<[DatabaseFailureClass, string, string]>([
    ['denied', 'denied', 'never'],
    ['dns', 'dns', 'backoff'],
    ['connect', 'connect', 'backoff'],
    ['tls', 'tls', 'pause'],
    ['auth', 'db_auth', 'pause'],
    ['timeout', 'timeout', 'backoff'],
    ['reset', 'reset', 'backoff'],
    ['aborted', 'aborted', 'backoff'],
    ['busy', 'db_busy', 'backoff'],
    ['unique', 'db_unique', 'never'],
    ['constraint', 'db_constraint', 'never'],
    ['value', 'db_value', 'never'],
    ['object', 'db_object', 'never'],
    ['rejected', 'db_rejected', 'never'],
  ])('%s', async (failure, code, retry) => {
    const ports = fakes();
    ports.database.fail(new DatabaseFailure(failure, 'words'));
    const { outcome } = await send({}, textTable(['host']), rowsCommand(rows), databaseConnection(), ports);
    expect(outcome).toEqual({ status: 'failed', code, retry, detail: 'postgres db.example.com:5432: words' });
  });

  it('C39: says so when the commit may have happened', async () => {
    const ports = fakes();
    ports.database.fail(new DatabaseFailure('reset', 'words', { uncertain: true }));
    const { outcome } = await send({}, textTable(['host']), rowsCommand(rows), databaseConnection(), ports);
    expect(outcome).toMatchObject({ code: 'reset', uncertain: true });
  });

  it('lets only a plain insert be held when nobody knows whether it happened', () => {
    expect(database.idempotencyOf?.({ table: 't' })).toBe('none');
    expect(database.idempotencyOf?.({ table: 't', command_id_column: 'id' })).toBe('key');
    expect(database.idempotencyOf?.({ table: 't', operation: 'upsert', key_columns: ['a'] })).toBe('key');
  });
});

it('database: a dry run shows statements and values without a look at the table', () => {
  const command = { ...eventCommand(), params: { table: 't', columns: { a: '{{data.title}}' } } };
  expect(database.preview(command, { connection: databaseConnection(), now: contractNow })).toEqual({
    status: 'done',
    output: {
      server: { engine: 'postgres', host: 'db.example.com', port: 5432, database: 'soc' },
      statements: [{ sql: 'INSERT INTO "t" ("a") VALUES ($1)', values: ['SQL Injection in /api/login'] }],
      rows: 1,
    },
  });
});
