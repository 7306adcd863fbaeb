import { Socket } from 'node:net';
import type { DatabaseFailureClass, DatabaseServer } from '@tocsin/topologies/ports/database.ts';
import { describe, expect, it } from 'vitest';
import { mysql } from './mysql.ts';
import { postgres } from './postgres.ts';
import { keysOf } from './session.ts';
import { connectionConfig, sqlserver } from './sqlserver.ts';

const failing = (message: string, fields: object): Error => Object.assign(new Error(message), fields);
const secret = 'hunter2';

// Messages as the servers write them.
describe('what an error means', () => {
  it.each<[code: string, DatabaseFailureClass]>([
    ['28P01', 'auth'],
    ['28000', 'auth'],
    ['3D000', 'auth'],
    ['23505', 'unique'],
    ['23502', 'constraint'],
    ['23503', 'constraint'],
    ['23514', 'constraint'],
    ['22001', 'value'],
    ['22P02', 'value'],
    ['22P05', 'value'],
    ['42P01', 'object'],
    ['42703', 'object'],
    ['42501', 'object'],
    ['42P10', 'object'],
    ['42601', 'rejected'],
    ['40001', 'busy'],
    ['40P01', 'busy'],
    ['55P03', 'busy'],
    ['53300', 'busy'],
    ['25006', 'busy'],
    ['57P03', 'busy'],
    ['57014', 'timeout'],
  ])('PostgreSQL %s is %s', (code, failure) => {
    expect(postgres.judge(failing('words', { code }))).toMatchObject({ failure });
  });

  it('repeats no value of PostgreSQL', () => {
    for (const [message, code] of [
      [`invalid input syntax for type integer: "${secret}"`, '22P02'],
      [`value "${secret}" is out of range for type integer`, '22003'],
      [`invalid input syntax for type json: "a" ${secret}"`, '22P02'],
    ] as const)
      expect(postgres.judge(failing(message, { code }))?.message).not.toContain(secret);
    const detail = `Key (host)=(${secret}) already exists.`;
    const message = 'duplicate key value violates unique constraint "hosts_pkey"';
    expect(postgres.judge(failing(message, { code: '23505', detail }))).toEqual({
      failure: 'unique',
      message: `${message} (SQLSTATE 23505)`,
      ends: false,
    });
  });

  it.each<[errno: number, DatabaseFailureClass]>([
    [1045, 'auth'],
    [1049, 'auth'],
    [1062, 'unique'],
    [1048, 'constraint'],
    [1452, 'constraint'],
    [1406, 'value'],
    [1366, 'value'],
    [1292, 'value'],
    [1146, 'object'],
    [1054, 'object'],
    [1142, 'object'],
    [1213, 'busy'],
    [1205, 'busy'],
    [1040, 'busy'],
    [1290, 'busy'],
    [1969, 'timeout'],
    [1064, 'rejected'],
  ])('MySQL and MariaDB %i is %s', (errno, failure) => {
    expect(mysql.judge(failing('words', { errno, code: 'ER_X' }))).toMatchObject({ failure });
  });

  it('repeats no value of MySQL, and is not led astray by one', () => {
    const told = (message: string, errno: number) =>
      mysql.judge(failing(message, { errno, code: 'ER_X' }))?.message;
    expect(told("Data too long for column 'host' at row 1", 1406)).toContain('column host');
    expect(told(`Incorrect integer value: '${secret}' for column \`soc\`.\`t\`.\`n\` at row 3`, 1366)).toBe(
      'a value does not fit, column n (error 1366, ER_X)',
    );
    expect(told(`Duplicate entry '${secret}' for key 'hosts.PRIMARY'`, 1062)).toBe(
      'there is such a row, index hosts.PRIMARY (error 1062, ER_X)',
    );
    const forged = `Duplicate entry 'x' for key 'a' ${secret}' for key 'real'`;
    expect(told(forged, 1062)).not.toContain(secret);
  });

  it.each<[number: number, DatabaseFailureClass]>([
    [18456, 'auth'],
    [4060, 'auth'],
    [2627, 'unique'],
    [2601, 'unique'],
    [547, 'constraint'],
    [515, 'constraint'],
    [8152, 'value'],
    [245, 'value'],
    [241, 'value'],
    [208, 'object'],
    [207, 'object'],
    [229, 'object'],
    [1205, 'busy'],
    [1222, 'busy'],
    [40613, 'busy'],
    [102, 'rejected'],
  ])('SQL Server %i is %s', (number, failure) => {
    expect(sqlserver.judge(failing('words', { number }))).toMatchObject({ failure });
  });

  it('repeats no value of SQL Server', () => {
    const message = `String or binary data would be truncated in table 'soc.dbo.t', column 'host'. Truncated value: '${secret}'.`;
    expect(sqlserver.judge(failing(message, { number: 2628 }))?.message).toBe(
      'a value does not fit, column host (error 2628)',
    );
    const twice = `Violation of UNIQUE KEY constraint 'UQ'. Cannot insert duplicate key in object 'dbo.t'. The duplicate key value is (${secret}).`;
    expect(sqlserver.judge(failing(twice, { number: 2627 }))?.message).not.toContain(secret);
  });

  it('an end of the session is no answer to the statement', () => {
    expect(postgres.judge(failing('terminating', { code: '57P01' }))).toMatchObject({ ends: true });
    expect(mysql.judge(failing('killed', { errno: 1927, code: 'ER_X' }))).toMatchObject({ ends: true });
    expect(sqlserver.judge(failing('x', { number: 596, class: 21 }))).toMatchObject({ ends: true });
    expect(sqlserver.judge(failing('x', { number: 1205, class: 13 }))).toMatchObject({ ends: false });
    for (const driver of [postgres, mysql, sqlserver])
      expect(driver.judge(failing('read ECONNRESET', { code: 'ECONNRESET', errno: -104 }))).toBeNull();
  });
});

describe('settings', () => {
  const server: DatabaseServer = {
    engine: 'sqlserver',
    host: 'db.example.com',
    port: 1433,
    database: 'soc',
    user: 'tocsin',
    password: secret,
    tls: {},
    maxSessions: 4,
    statementTimeoutMs: 5_000,
    timeoutMs: 30_000,
  };

  it('of SQL Server encrypt and verify unless told otherwise, over the socket that was checked', async () => {
    const socket = new Socket();
    const { options } = connectionConfig(socket, server);
    expect(options).toMatchObject({ encrypt: true, trustServerCertificate: false, requestTimeout: 5_000 });
    expect(await options?.connector?.()).toBe(socket);
    expect(connectionConfig(socket, { ...server, tls: null }).options).toMatchObject({ encrypt: false });
    const named = connectionConfig(socket, { ...server, tls: { verify: false, servername: 'x' } });
    expect(named.options).toMatchObject({ encrypt: true, trustServerCertificate: true, serverName: 'x' });
  });

  it('group the columns of indexes, without those over expressions', () => {
    expect(
      keysOf([
        ['PRIMARY', 'a'],
        ['u', 'b'],
        ['u', 'c'],
        ['prefix', null],
      ]),
    ).toEqual([['a'], ['b', 'c']]);
  });
});
