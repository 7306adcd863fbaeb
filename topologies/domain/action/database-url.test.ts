import type { DatabaseConnection } from '@tocsin/schemas/types.ts';
import { describe, expect, it } from 'vitest';
import { SecretValue } from '../../ports/secrets.ts';
import { databasePlace, databaseTarget } from './database-target.ts';
import { parseDatabaseUrl } from './database-url.ts';

// Forms from jdbc.postgresql.org/documentation/use, the MySQL and MariaDB Connector/J manuals, and Microsoft's JDBC driver page.
describe('addresses of databases', () => {
  it.each([
    [
      'jdbc:postgresql://db.example.com:5433/soc',
      { engine: 'postgres', host: 'db.example.com', port: 5433, database: 'soc' },
    ],
    [
      'jdbc:postgresql://db.example.com/soc?user=fred&ssl=true',
      { engine: 'postgres', host: 'db.example.com', database: 'soc', user: 'fred', security: 'tls' },
    ],
    [
      'postgres://fred@[2001:db8::1]:5432/s%20c?sslmode=disable',
      {
        engine: 'postgres',
        host: '2001:db8::1',
        port: 5432,
        database: 's c',
        user: 'fred',
        security: 'none',
      },
    ],
    [
      'jdbc:mysql://db.example.com/soc?sslMode=VERIFY_IDENTITY',
      { engine: 'mysql', host: 'db.example.com', database: 'soc', security: 'tls' },
    ],
    [
      'jdbc:mariadb://192.0.2.7:3307/soc',
      { engine: 'mariadb', host: '192.0.2.7', port: 3307, database: 'soc' },
    ],
    [
      'jdbc:sqlserver://db.example.com:1433;databaseName=soc;encrypt=true;user=sa',
      {
        engine: 'sqlserver',
        host: 'db.example.com',
        port: 1433,
        database: 'soc',
        user: 'sa',
        security: 'tls',
      },
    ],
  ])('reads %s', (url, parts) => {
    expect(parseDatabaseUrl(url)).toEqual(parts);
  });

  it.each([
    ['jdbc:oracle:thin:@db:1521:x', /jdbc:postgresql/],
    ['https://db.example.com/soc', /jdbc:postgresql/],
    ['jdbc:postgresql://a,b/soc', /one host/],
    ['jdbc:postgresql:///soc', /one host/],
    ['jdbc:sqlserver://db\\inst;databaseName=x', /one host/],
    ['jdbc:postgresql://fred:hunter2@db/soc', /password/],
    ['jdbc:postgresql://db/soc?password=hunter2', /password/],
    ['jdbc:sqlserver://db;databaseName=x;pwd=hunter2', /password/],
    ['jdbc:postgresql://db/soc?sslmode=prefer', /sslmode/],
    ['jdbc:postgresql://db/soc?socketFactory=org.x.Y', /socketfactory/],
    ['jdbc:mysql://db/soc?allowLoadLocalInfile=true', /allowloadlocalinfile/],
    ['jdbc:mysql://db/soc?autoDeserialize=true', /autodeserialize/],
    ['jdbc:postgresql://db/soc/other', /one database/],
    ['jdbc:postgresql://db/soc#x', /jdbc:postgresql/],
  ])('refuses %s', (url, words) => {
    const issue = parseDatabaseUrl(url);
    expect(issue).toMatchObject({ path: '/url', message: expect.stringMatching(words) });
    expect(JSON.stringify(issue)).not.toContain('hunter2');
  });
});

const fields = { engine: 'postgres', host: 'db.example.com', database: 'soc', user: 'tocsin' } as const;
const connection = (over: Partial<DatabaseConnection> = {}): DatabaseConnection => ({
  kind: 'connection',
  id: 'db',
  type: 'database',
  ...over,
});

describe('database connections', () => {
  it('mean the same as fields and as a url, with the port of the engine', () => {
    const byFields = databasePlace(connection(fields));
    expect(byFields).toEqual({ ...fields, port: 5432, security: 'tls' });
    expect(
      databasePlace(connection({ url: 'jdbc:postgresql://db.example.com/soc', user: 'tocsin' })),
    ).toEqual(byFields);
    expect(databasePlace(connection({ ...fields, engine: 'mariadb' }))).toMatchObject({ port: 3306 });
    expect(databasePlace(connection({ ...fields, engine: 'sqlserver' }))).toMatchObject({ port: 1433 });
  });

  it.each<[Partial<DatabaseConnection>, string]>([
    [{}, '/engine'],
    [{ ...fields, host: 'db.example.com:5432' }, '/host'],
    [{ ...fields, host: 'u@db' }, '/host'],
    [{ ...fields, host: 'db/x' }, '/host'],
    [{ ...fields, host: '{{host}}' }, '/host'],
    [{ url: 'jdbc:postgresql://db:99999/soc', user: 'u' }, '/url'],
    [{ url: 'jdbc:postgresql://db', user: 'u' }, '/url'],
    [{ url: 'jdbc:postgresql://db/soc' }, '/user'],
    [{ ...fields, url: 'jdbc:postgresql://db/soc' }, '/engine'],
    [{ ...fields, user: 'a\u0000b' }, '/user'],
    [{ ...fields, database: 'a\u0000b' }, '/database'],
    [{ ...fields, security: 'none' }, '/allow_insecure'],
    [{ url: 'jdbc:postgresql://db/soc?sslmode=disable', user: 'u' }, '/allow_insecure'],
    [{ ...fields, security: 'none', allow_insecure: true, tls: {} }, '/tls'],
  ])('refuse %j', (over, path) => {
    expect(databasePlace(connection(over))).toContainEqual({ path, message: expect.any(String) });
    expect(databaseTarget({ config: connection(over), secrets: {} })).toMatchObject({
      status: 'failed',
      code: 'invalid_params',
      retry: 'pause',
    });
  });

  it('need a password or a client certificate', () => {
    expect(databaseTarget({ config: connection(fields), secrets: {} })).toMatchObject({
      code: 'secret',
      retry: 'pause',
    });
    const secrets = { tls_key: new SecretValue('KEY') };
    expect(
      databaseTarget({ config: connection({ ...fields, tls: { cert: 'CERT' } }), secrets }),
    ).toMatchObject({
      tls: { cert: 'CERT', key: 'KEY' },
    });
    expect(
      databaseTarget({ config: connection(fields), secrets: { password: new SecretValue('p') } }),
    ).toEqual({
      ...fields,
      port: 5432,
      password: 'p',
      tls: {},
      maxSessions: 4,
      statementTimeoutMs: 5_000,
      timeoutMs: 30_000,
    });
  });
});
