// Requests that people ask for: what completes an offset, and what leaves it to the next.
import { expect, test } from 'vitest';
import { fakeClock } from '../ports/fakes/clock.ts';
import { fakeLogger } from '../ports/fakes/logger.ts';
import { assignmentOf, batchOf } from '../testing/batches.ts';
import { serveRequests } from './serve-requests.ts';

interface Asked {
  readonly id: string;
  readonly at: number;
}

const clock = fakeClock();
const asked = (over: object = {}): string =>
  JSON.stringify({
    v: 1,
    id: 'a'.repeat(32),
    connection: 'c',
    revision: 1,
    at: clock.now(),
    by: 'user:a',
    ...over,
  });

function world(serve: (request: Asked, signal: AbortSignal) => Promise<void>) {
  const logger = fakeLogger();
  const assignment = assignmentOf();
  const handler = serveRequests<Asked>(
    { what: 'connection check', document: 'connection-check.json', tooOldMs: 60_000, serve },
    { clock, logger },
  );
  return { logger, assignment, handler, settled: () => clock.advance(0) };
}

test('what cannot be read, is too old, or was deleted completes without being served', async () => {
  const served: string[] = [];
  const { handler, assignment, logger, settled } = world(async ({ id }) => void served.push(id));
  const values = [
    null,
    '{',
    asked({ id: 'short' }),
    asked({ at: clock.now() - 60_001 }),
    asked({ at: clock.now() - 60_000 }),
  ];
  await handler.onBatch(batchOf(values, { nextOffset: 9 }), assignment);
  await settled();
  expect(served).toEqual(['a'.repeat(32)]);
  expect(assignment.watermark()).toBe(9);
  expect(logger.entries.map(({ message }) => message)).toEqual([
    'a connection check cannot be read',
    'a connection check cannot be read',
    'a connection check is too old',
  ]);
});

test('one that fails is logged with its id and completes; one that does not answer holds back only its own offset', async () => {
  const { handler, assignment, logger, settled } = world(({ id }) =>
    id.startsWith('b') ? new Promise(() => undefined) : Promise.reject(new Error('no')),
  );
  await handler.onBatch(batchOf([asked(), asked({ id: 'b'.repeat(32) }), asked()]), assignment);
  await settled();
  expect([...assignment.completed].sort()).toEqual([
    [0, 1],
    [2, 3],
  ]);
  expect(logger.entries).toMatchObject([
    { level: 'error', message: 'a connection check failed', fields: { request: 'a'.repeat(32) } },
    { level: 'error' },
  ]);
});

test('what a stop breaks off keeps its offset, and nobody waits for it', async () => {
  const { handler, assignment, logger, settled } = world((_, signal) => clock.sleep(1_000, signal));
  await handler.onBatch(batchOf([asked()]), assignment);
  handler.stop();
  await handler.onRevoked?.(assignment, 'revoked');
  await settled();
  expect(assignment.completed).toEqual([]);
  expect(logger.entries).toEqual([]);
});

test('a partition that is taken away waits for what is being served', async () => {
  const { handler, assignment } = world((_, signal) => clock.sleep(1_000, signal));
  await handler.onBatch(batchOf([asked()]), assignment);
  const revoked = handler.onRevoked?.(assignment, 'revoked');
  await clock.advance(1_000);
  await revoked;
  expect(assignment.watermark()).toBe(1);
});
