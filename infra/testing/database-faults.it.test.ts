// The database action against PostgreSQL and MariaDB: refused, cut off, kept waiting, and over TLS.
import { createServer } from 'node:net';
import { createDatabaseClient } from '@tocsin/adapters/database/client.ts';
import { database } from '@tocsin/topologies/actions/database/execute.ts';
import { SecretValue } from '@tocsin/topologies/ports/secrets.ts';
import { beforeAll, describe, expect, it } from 'vitest';
import {
  authority,
  certificate,
  client,
  engines,
  execute,
  expectRows,
  type Options,
  places,
  row,
  run,
  server,
  useDatabases,
} from './database-kit.ts';
import { cuttingRelay, tlsRelay } from './database-relays.ts';

useDatabases();

describe.each(engines)('faults of a database action on %s', (engine) => {
  beforeAll(async () => {
    await execute(
      engine,
      'CREATE TABLE kept (host varchar(50) PRIMARY KEY, n int)',
      "INSERT INTO kept VALUES ('a', 1)",
    );
  });

  it('waits for a lock no longer than the limit, and tries again', async () => {
    const params = { table: 'kept', operation: 'update', key_columns: ['host'] };
    const sleep = engine === 'postgres' ? 'SELECT pg_sleep(4)' : 'SELECT sleep(4)';
    const holder = execute(engine, `UPDATE kept SET n = 5 WHERE host = 'a'`, sleep);
    await new Promise((resolve) => setTimeout(resolve, 500));
    const outcome = await run(engine, row({ host: 'a', n: 6 }), params);
    expect(outcome).toMatchObject({
      status: 'failed',
      retry: 'backoff',
      code: expect.stringMatching(/^(db_busy|timeout)$/),
    });
    expect(outcome).not.toHaveProperty('uncertain');
    await holder;
    expect(await run(engine, row({ host: 'a', n: 6 }), params)).toMatchObject({ status: 'done' });
  });

  it('C38: pauses for refused credentials and an unknown database, and never says the password', async () => {
    const options: Options[] = [{ password: 'wrong-password', over: { user: 'nobody_here' } }];
    if (engine === 'mariadb') options.push({ over: { database: 'no_such' } });
    else options.push({ over: { url: `${places.postgres.config.url}_gone` } });
    for (const option of options) {
      const outcome = await run(engine, row({ host: 'a' }), { table: 'kept' }, option);
      // A local PostgreSQL may trust everybody; then the user is what is refused.
      expect(outcome).toMatchObject({ code: 'db_auth', retry: 'pause' });
      expect(JSON.stringify(outcome)).not.toContain('wrong-password');
    }
  });

  it('does not speak without TLS unless told to', async () => {
    const { security: _, allow_insecure: __, ...config } = places[engine].config;
    const secrets = { password: new SecretValue(places[engine].password) };
    const context = { ports: { database: client }, now: 0, attempt: 1, signal: new AbortController().signal };
    const command = { ...row({ host: 'a' }), params: { table: 'kept' } };
    expect(await database.execute(command, { ...context, connection: { config, secrets } })).toMatchObject({
      code: 'tls',
      retry: 'pause',
    });
  });

  it('C39: speaks TLS to the server of the certificate, and to no other', async () => {
    await execute(engine, 'CREATE TABLE safe (host varchar(50))');
    const relay = engine === 'postgres' ? await tlsRelay(server(engine).port, certificate) : null;
    const { security: _, allow_insecure: __, ...config } = places[engine].config;
    const { database: name } = server(engine);
    const where = relay === null ? {} : { url: `jdbc:postgresql://127.0.0.1:${relay.port}/${name}` };
    const secrets = { password: new SecretValue(places[engine].password) };
    const { cert: ca } = authority;
    for (const [tls, expected] of [
      [{ ca, servername: 'db.test' }, { status: 'done' }],
      [{ verify: false }, { status: 'done' }],
      [
        { ca, servername: 'other.test' },
        { code: 'tls', retry: 'pause' },
      ],
      [{ ca }, { code: 'tls', retry: 'pause' }],
      [{ servername: 'db.test' }, { code: 'tls', retry: 'pause' }],
    ] as const)
      expect(
        await database.execute(
          { ...row({ host: 'a' }), params: { table: 'safe' } },
          {
            ports: { database: client },
            connection: { config: { ...config, ...where, tls }, secrets },
            now: 0,
            attempt: 1,
            signal: new AbortController().signal,
          },
        ),
        JSON.stringify(Object.keys(tls)),
      ).toMatchObject(expected);
    await relay?.close();
    await expectRows(engine, 'safe', 2);
  });

  it('does not reach an address that the policy refuses', async () => {
    expect(
      await run(engine, row({ host: 'a' }), { table: 'kept' }, { over: { allow_cidrs: [] } }),
    ).toMatchObject({
      code: 'denied',
      retry: 'never',
    });
  });

  it('C39: goes on over a new session when the server ended the old one, and stops when told to', async () => {
    const kill =
      engine === 'postgres'
        ? 'SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND datname = current_database()'
        : "BEGIN NOT ATOMIC FOR s IN (SELECT id FROM information_schema.processlist WHERE id <> connection_id() AND user = 'tocsin') DO KILL CONNECTION s.id; END FOR; END";
    const params = { table: 'kept', operation: 'update', key_columns: ['host'] };
    expect(await run(engine, row({ host: 'a', n: 7 }), params)).toMatchObject({ status: 'done' });
    const other = createDatabaseClient();
    await other.write(server(engine), [{ sql: kill, values: [] }]);
    other.close();
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(await run(engine, row({ host: 'a', n: 8 }), params)).toMatchObject({ status: 'done' });
    expect(
      await run(engine, row({ host: 'a', n: 9 }), params, { signal: AbortSignal.abort() }),
    ).toMatchObject({
      code: 'aborted',
      retry: 'backoff',
    });
  });

  it('is uncertain only when the commit went out and nothing came back', async () => {
    const target = server(engine);
    await execute(engine, 'CREATE TABLE cut (host varchar(50))');
    for (const [cutAt, uncertain] of [
      ['INSERT INTO', false],
      ['COMMIT', true],
    ] as const) {
      const relay = await cuttingRelay(target.port, cutAt);
      const over =
        engine === 'postgres'
          ? { url: `jdbc:postgresql://127.0.0.1:${relay.port}/${target.database}` }
          : { port: relay.port };
      const params = { table: 'cut' };
      // The look at the table commits as well, on another session.
      relay.arm(2);
      const outcome = await run(engine, row({ host: `cut-${uncertain}` }), params, { over });
      await relay.close();
      expect(outcome, cutAt).toMatchObject({ code: 'reset', retry: 'backoff' });
      expect('uncertain' in outcome, cutAt).toBe(uncertain);
    }
    await expectRows(engine, `cut WHERE host = 'cut-false'`, 0);
  });
});

it('database action: nobody listens, or nobody answers', async () => {
  const silent = createServer(() => undefined);
  await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
  const { port } = silent.address() as { port: number };
  for (const engine of engines) {
    const at = (to: number) =>
      engine === 'postgres' ? { url: `jdbc:postgresql://127.0.0.1:${to}/x` } : { port: to };
    const hung = await run(
      engine,
      row({ host: 'a' }),
      { table: 'kept' },
      { over: { ...at(port), timeout_ms: 500 } },
    );
    expect(hung).toMatchObject({ code: 'timeout', retry: 'backoff' });
    expect(hung).not.toHaveProperty('uncertain');
    const refused = await run(engine, row({ host: 'a' }), { table: 'kept' }, { over: at(9) });
    expect(refused).toMatchObject({ code: 'connect', retry: 'backoff' });
  }
  silent.close();
});
