// The database action through the real drivers, against PostgreSQL and MariaDB: what is written.
import { rowsCommand } from '@tocsin/topologies/testing/fixtures.ts';
import { describe, expect, it } from 'vitest';
import { client, engines, execute, expectRows, row, run, server, useDatabases } from './database-kit.ts';

useDatabases();

const types = {
  postgres: {
    seen: 'timestamptz',
    local: 'timestamp(3)',
    doc: 'jsonb',
    flag: 'boolean',
    score: 'numeric(6,2)',
    quote: '"',
  },
  mariadb: {
    seen: 'datetime(6)',
    local: 'datetime(3)',
    doc: 'json',
    flag: 'tinyint(1)',
    score: 'decimal(6,2)',
    quote: '`',
  },
} as const;

describe.each(engines)('database action on %s', (engine) => {
  const { seen, local, doc, flag, score, quote } = types[engine];

  it('T43 writes every type as it was meant, hostile texts verbatim', async () => {
    await execute(
      engine,
      `CREATE TABLE typed (host varchar(20) NOT NULL, n int, score ${score}, flag ${flag}, seen ${seen}, local ${local}, day date, doc ${doc}, note text, ${quote}source.ip${quote} varchar(45))`,
    );
    const note = '\'); DROP TABLE typed;-- \\ " ` {{rule.name}} 😀\r\n';
    const fields = {
      host: 'a',
      n: 7,
      score: '12.50',
      flag: true,
      seen: '2026-04-28T14:30:00.123456+02:30',
      local: '2026-04-28T14:30:00.123456+02:30',
      day: '2026-04-29T01:00:00+02:00',
      doc: { a: [1, 'x'], text: note },
      note,
      'source.ip': '192.0.2.1',
      extra: 1,
    };
    expect(await run(engine, row(fields), { table: 'typed' })).toEqual({
      status: 'done',
      output: { table: 'typed', operation: 'insert', rows: 1 },
      warnings: ['columns: "extra" is no column of typed and was left out'],
    });
    const at =
      engine === 'postgres' ? "seen = '2026-04-28 12:00:00.123456Z'" : "seen = '2026-04-28 12:00:00.123456'";
    const path = engine === 'postgres' ? "doc->'a'->>1 = 'x'" : "json_value(doc, '$.a[1]') = 'x'";
    const text = engine === 'postgres' ? "doc->>'text'" : "json_value(doc, '$.text')";
    await expectRows(
      engine,
      `typed WHERE host = 'a' AND n = 7 AND score = 12.5 AND flag AND ${at} AND local = '2026-04-28 12:00:00.123' AND day = '2026-04-28' AND ${path} AND ${quote}source.ip${quote} = '192.0.2.1'`,
      1,
    );
    await client.write(server(engine), [
      {
        sql: `SELECT count(*) FROM typed WHERE note = ${engine === 'postgres' ? '$1' : '?'} AND ${text} = note`,
        values: [note],
        mustCount: 1,
      },
    ]);
  });

  it('names what does not fit, and writes nothing', async () => {
    const fail = (fields: Record<string, unknown>) =>
      run(engine, row({ host: 'x', ...fields }), { table: 'typed' });
    expect(await fail({ host: 'x'.repeat(21) })).toMatchObject({
      code: 'db_value',
      detail: expect.stringContaining('"host" takes 20'),
    });
    expect(await fail({ n: 'many' })).toMatchObject({
      code: 'db_value',
      detail: expect.stringContaining('"n"'),
    });
    // Only the server knows these limits.
    expect(await fail({ n: 99_999_999_999 })).toMatchObject({ code: 'db_value', retry: 'never' });
    expect(JSON.stringify(await fail({ n: 99_999_999_999 }))).not.toContain('99999999999');
    expect(await fail({ score: 123_456.7 })).toMatchObject({ code: 'db_value' });
    expect(await run(engine, row({ n: 1 }), { table: 'typed' })).toMatchObject({
      code: 'db_constraint',
      detail: expect.stringContaining('host'),
    });
    expect(await run(engine, row({ n: 1 }), { table: 'no_such' })).toMatchObject({ code: 'db_object' });
    const nul = await fail({ note: 'a\u0000b' });
    if (engine === 'postgres')
      expect(nul).toMatchObject({ code: 'db_value', detail: expect.stringContaining('null character') });
    else expect(nul).toMatchObject({ status: 'done' });
    await expectRows(engine, `typed WHERE host <> 'a'`, engine === 'postgres' ? 0 : 1);
  });

  it('adds a row once for a command id, and refuses another row with its key', async () => {
    await execute(engine, 'CREATE TABLE once (host varchar(50) UNIQUE, id varchar(50) UNIQUE)');
    const params = { table: 'once', columns: { host: '{{host}}' }, command_id_column: 'id' };
    const set = rowsCommand([{ host: 'a' }, { host: 'b' }]);
    for (const _ of [1, 2]) expect(await run(engine, set, params)).toMatchObject({ status: 'done' });
    await expectRows(engine, 'once', 2);
    const other = rowsCommand([{ host: 'c' }, { host: 'a' }], { command_id: 'f'.repeat(32) });
    expect(await run(engine, other, params)).toMatchObject({ code: 'db_unique', retry: 'never' });
    await expectRows(engine, 'once', 2);
    const plain = { table: 'once', columns: { host: '{{host}}' } };
    const again = await run(engine, row({ host: 'a' }), plain);
    expect(again).toMatchObject({ code: 'db_unique' });
    expect(JSON.stringify(again)).not.toContain("'a'");
  });

  it('keeps one row for each key, and touches no other', async () => {
    await execute(engine, 'CREATE TABLE kept (host varchar(50) PRIMARY KEY, n int, mail varchar(50) UNIQUE)');
    const params = { table: 'kept', operation: 'upsert', key_columns: ['host'] };
    await run(
      engine,
      rowsCommand([
        { host: 'a', n: 1, mail: 'x' },
        { host: 'b', n: 1 },
      ]),
      params,
    );
    expect(await run(engine, row({ host: 'a', n: 2 }), params)).toMatchObject({ status: 'done' });
    await expectRows(engine, `kept WHERE (host = 'a' AND n = 2 AND mail = 'x') OR (host = 'b' AND n = 1)`, 2);
    // The other unique index has it already: MySQL would change that row instead.
    expect(await run(engine, row({ host: 'c', n: 3, mail: 'x' }), params)).toMatchObject({
      code: 'db_unique',
    });
    await expectRows(engine, `kept WHERE n = 3`, 0);
    const update = { ...params, operation: 'update' };
    const both = rowsCommand([
      { host: 'a', n: 9 },
      { host: 'z', n: 9 },
    ]);
    expect(await run(engine, both, update)).toMatchObject({
      output: { rows: 1 },
      warnings: ['kept: 1 of 2 rows to update are not there'],
    });
    await expectRows(engine, `kept WHERE n = 9`, 1);
  });
});
