import { describe, expect, it } from 'vitest';
import { dialects } from './dialects.ts';
import { buildStatements, type SqlRow, type WritePlan } from './statements.ts';

const row = (fields: Record<string, string | null>): SqlRow => new Map(Object.entries(fields));
const plan = (over: Partial<WritePlan> = {}): WritePlan => ({
  table: { schema: 'soc', table: 'hosts' },
  operation: 'insert',
  keys: [],
  once: null,
  rows: [row({ host: 'a', n: '1' }), row({ host: 'b', n: null })],
  ...over,
});
const once = { once: 'id', rows: [row({ host: 'a', id: 'x-0' }), row({ host: 'b', id: 'x-1' })] };
const upsert = { operation: 'upsert', keys: ['host'] } as const;
const values = ['a', '1', 'b', null];

describe('statements', () => {
  it('of PostgreSQL', () => {
    const { postgres } = dialects;
    const insert = 'INSERT INTO "soc"."hosts" ("host", "n") VALUES ($1, $2), ($3, $4)';
    expect(buildStatements(plan(), postgres)).toEqual([{ sql: insert, values }]);
    expect(buildStatements(plan(upsert), postgres)).toEqual([
      { sql: `${insert} ON CONFLICT ("host") DO UPDATE SET "n" = EXCLUDED."n"`, values },
    ]);
    expect(buildStatements(plan(once), postgres)).toEqual([
      {
        sql: 'INSERT INTO "soc"."hosts" ("host", "id") VALUES ($1, $2), ($3, $4) ON CONFLICT ("id") DO NOTHING',
        values: ['a', 'x-0', 'b', 'x-1'],
      },
    ]);
    expect(buildStatements(plan({ ...upsert, rows: [row({ host: 'a' })] }), postgres)[0]?.sql).toBe(
      'INSERT INTO "soc"."hosts" ("host") VALUES ($1) ON CONFLICT ("host") DO NOTHING',
    );
    expect(buildStatements(plan({ ...upsert, operation: 'update' }), postgres)).toEqual([
      { sql: 'UPDATE "soc"."hosts" SET "n" = $1 WHERE "host" = $2', values: ['1', 'a'] },
      { sql: 'UPDATE "soc"."hosts" SET "n" = $1 WHERE "host" = $2', values: [null, 'b'] },
    ]);
  });

  it('of MySQL and MariaDB, which look afterwards whether the rows are there', () => {
    const { mariadb } = dialects;
    const insert = 'INSERT INTO `soc`.`hosts` (`host`, `n`) VALUES (?, ?), (?, ?)';
    expect(dialects.mysql).toBe(mariadb);
    expect(buildStatements(plan(), mariadb)).toEqual([{ sql: insert, values }]);
    expect(buildStatements(plan(upsert), mariadb)).toEqual([
      { sql: `${insert} ON DUPLICATE KEY UPDATE \`n\` = VALUES(\`n\`)`, values },
      {
        sql: 'SELECT EXISTS (SELECT 1 FROM `soc`.`hosts` WHERE `host` = ?) + EXISTS (SELECT 1 FROM `soc`.`hosts` WHERE `host` = ?)',
        values: ['a', 'b'],
        mustCount: 2,
      },
    ]);
    expect(buildStatements(plan(once), mariadb)[0]?.sql).toBe(
      'INSERT INTO `soc`.`hosts` (`host`, `id`) VALUES (?, ?), (?, ?) ON DUPLICATE KEY UPDATE `id` = `id`',
    );
    expect(buildStatements(plan({ ...upsert, operation: 'update' }), mariadb)[0]).toEqual({
      sql: 'UPDATE `soc`.`hosts` SET `n` = ? WHERE `host` = ?',
      values: ['1', 'a'],
    });
  });

  it('of SQL Server', () => {
    const { sqlserver } = dialects;
    expect(buildStatements(plan(), sqlserver)).toEqual([
      { sql: 'INSERT INTO [soc].[hosts] ([host], [n]) VALUES (@p1, @p2), (@p3, @p4)', values },
    ]);
    expect(buildStatements(plan(upsert), sqlserver)).toEqual([
      {
        sql: 'MERGE INTO [soc].[hosts] WITH (HOLDLOCK) AS target USING (VALUES (@p1, @p2), (@p3, @p4)) AS source ([host], [n]) ON target.[host] = source.[host] WHEN MATCHED THEN UPDATE SET [n] = source.[n] WHEN NOT MATCHED THEN INSERT ([host], [n]) VALUES (source.[host], source.[n]);',
        values,
      },
    ]);
    expect(buildStatements(plan(once), sqlserver)[0]?.sql).toBe(
      'MERGE INTO [soc].[hosts] WITH (HOLDLOCK) AS target USING (VALUES (@p1, @p2), (@p3, @p4)) AS source ([host], [id]) ON target.[id] = source.[id] WHEN NOT MATCHED THEN INSERT ([host], [id]) VALUES (source.[host], source.[id]);',
    );
    expect(buildStatements(plan({ ...upsert, operation: 'update' }), sqlserver)[0]?.sql).toBe(
      'UPDATE [soc].[hosts] SET [n] = @p1 WHERE [host] = @p2',
    );
  });

  it('hold rows with the same columns together, whatever their order', () => {
    const rows = [row({ a: '1', b: '2' }), row({ a: '3' }), row({ b: '5', a: '4' })];
    expect(buildStatements(plan({ rows }), dialects.postgres)).toEqual([
      { sql: 'INSERT INTO "soc"."hosts" ("a", "b") VALUES ($1, $2), ($3, $4)', values: ['1', '2', '4', '5'] },
      { sql: 'INSERT INTO "soc"."hosts" ("a") VALUES ($1)', values: ['3'] },
    ]);
  });

  it('stay below the limits of the engine', () => {
    const rows = Array.from({ length: 2_500 }, (_, n) => row({ a: `${n}`, b: 'x', c: 'y' }));
    const counts = buildStatements(plan({ rows }), dialects.sqlserver).map(
      ({ values: bound }) => bound.length,
    );
    expect(Math.max(...counts)).toBeLessThanOrEqual(2_100 - 2);
    expect(counts.reduce((sum, count) => sum + count, 0)).toBe(7_500);
    const many = Array.from({ length: 40_000 }, (_, n) => row({ a: `${n}`, b: 'x' }));
    const widest = buildStatements(plan({ rows: many }), dialects.postgres).map(
      ({ values: bound }) => bound.length,
    );
    expect(Math.max(...widest)).toBeLessThanOrEqual(65_535);
  });
});

describe('names', () => {
  it.each([
    ['postgres', 'x"; drop table y;--', '"x""; drop table y;--"'],
    ['mysql', 'x`; drop table y;--', '`x``; drop table y;--`'],
    ['sqlserver', 'x]; drop table y;--', '[x]]; drop table y;--]'],
    ['postgres', 'order', '"order"'],
    ['mysql', 'a\\`b', '`a\\``b`'],
  ] as const)('are one identifier in %s whatever they hold: %s', (engine, name, quoted) => {
    expect(dialects[engine].quote(name)).toBe(quoted);
  });

  it.each(['', 'a\u0000b', 'x'.repeat(600)])('are refused when no table can have them: %j', (name) => {
    for (const { quote } of Object.values(dialects)) expect(() => quote(name)).toThrow(RangeError);
  });
});
