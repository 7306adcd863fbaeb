// The pool over real sockets, with a driver that needs no database.
import { createServer, type Server, type Socket } from 'node:net';
import type { DatabaseServer } from '@tocsin/topologies/ports/database.ts';
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { createEgressPolicy } from '../http/egress-policy.ts';
import { lookupSystem } from '../http/resolve.ts';
import { createSessionPool } from './pool.ts';
import type { Driver, Session } from './session.ts';

const open = new Set<Socket>();
let most = 0;
let listener: Server;
let server: DatabaseServer;

beforeAll(async () => {
  listener = createServer((socket) => {
    open.add(socket);
    most = Math.max(most, open.size);
    socket.on('error', () => undefined).on('close', () => open.delete(socket));
  });
  await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve));
  const { port } = listener.address() as { port: number };
  server = {
    engine: 'postgres',
    host: '127.0.0.1',
    port,
    database: 'd',
    user: 'u',
    password: 'p',
    tls: null,
    maxSessions: 2,
    statementTimeoutMs: 1_000,
    timeoutMs: 300,
    allowCidrs: ['127.0.0.0/8'],
  };
});
afterAll(async () => {
  for (const socket of open) socket.destroy();
  await new Promise<void>((resolve) => listener.close(() => resolve()));
});
beforeEach(() => {
  most = 0;
});

const driver = (opening: (socket: Socket) => Promise<void> = async () => undefined): Driver => ({
  async open(socket): Promise<Session> {
    await opening(socket);
    return {
      run: async () => ({ rows: [], affected: 0 }),
      lost: () => socket.destroyed,
      destroy: () => socket.destroy(),
    };
  },
  begin: async () => undefined,
  describe: async () => null,
  judge: () => null,
});
const poolOf = (idleMs = 10_000) =>
  createSessionPool({
    egress: createEgressPolicy({ mode: 'open' }),
    lookup: lookupSystem,
    connectTimeoutMs: 1_000,
    idleMs,
  });
const soon = (test: () => boolean) => expect.poll(test, { timeout: 5_000 }).toBe(true);

it('C39: opens no more sessions than the limit; who waits gets the next that is free, in turn', async () => {
  const pool = poolOf();
  const order: number[] = [];
  await Promise.all(
    [0, 1, 2, 3, 4].map(async (number) => {
      const { session } = await pool.take(server, driver(), false);
      order.push(number);
      await new Promise((resolve) => setTimeout(resolve, 20));
      pool.give(server, session);
    }),
  );
  expect(order.slice(2)).toEqual([2, 3, 4]);
  expect(most).toBe(2);
  pool.close();
  await soon(() => open.size === 0);
});

it('keeps a session for the next, not for another password, and not for ever', async () => {
  const pool = poolOf(400);
  const first = await pool.take(server, driver(), false);
  pool.give(server, first.session);
  const again = await pool.take(server, driver(), false);
  expect(again).toEqual({ session: first.session, reused: true });
  const other = await pool.take({ ...server, password: 'rotated' }, driver(), false);
  expect(other.reused).toBe(false);
  pool.give({ ...server, password: 'rotated' }, other.session);
  pool.give(server, again.session);
  await soon(() => open.size === 0);
  const late = await pool.take(server, driver(), false);
  expect(late.reused).toBe(false);
  pool.close();
  pool.give(server, late.session);
  await soon(() => open.size === 0);
});

it('gives the place of a lost session, and of one that never came up, to the next', async () => {
  const pool = poolOf();
  // A server that never greets: the socket is ended after the time of the call.
  const silent = driver(
    (socket) => new Promise((_, reject) => socket.on('close', () => reject(new Error('gone')))),
  );
  const failing = await Promise.allSettled([1, 2, 3].map(() => pool.take(server, silent, false)));
  expect(failing.map(({ status }) => status)).toEqual(['rejected', 'rejected', 'rejected']);
  const { session } = await pool.take(server, driver(), false);
  session.destroy();
  pool.give(server, session);
  const leases = [await pool.take(server, driver(), false), await pool.take(server, driver(), false)];
  expect(leases.map(({ reused }) => reused)).toEqual([false, false]);
  pool.close();
  for (const lease of leases) pool.give(server, lease.session);
  await soon(() => open.size === 0);
});

it('writes no byte to an address that the policy refuses', async () => {
  const pool = poolOf();
  const { allowCidrs: _, ...unlisted } = server;
  await expect(pool.take(unlisted, driver(), false)).rejects.toMatchObject({ failure: 'denied' });
  await expect(pool.take({ ...server, host: 'no-such-host.invalid' }, driver(), false)).rejects.toMatchObject(
    {
      failure: 'dns',
    },
  );
  await expect(pool.take({ ...server, allowCidrs: ['nonsense'] }, driver(), false)).rejects.toMatchObject({
    failure: 'denied',
  });
  expect(most).toBe(0);
  pool.close();
});
