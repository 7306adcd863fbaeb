// Exports of several requests on a whole system: kill -9 of the worker in the middle, before and after Splunk has taken a request.
//
// Invariant: nothing is missing; only the request that was under way may come again, under the same ids.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Command, Result } from '@tocsin/schemas/types.ts';
import { type Hold, type HoldingRelay, startHoldingRelay } from '@tocsin/testing/holding-relay.ts';
import { type HecReceiver, startHecReceiver } from '@tocsin/testing/receivers/hec.ts';
import { rowsCommand } from '@tocsin/topologies/testing/fixtures.ts';
import { commandTopic, topics } from '@tocsin/topologies/topics.ts';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { hecToken, httpConnection } from './documents.ts';
import { type Process, type System, startSystem } from './system.ts';
import { readTopic, until } from './topic.ts';

vi.setConfig({ testTimeout: 120_000 });

let system: System;
let splunk: HecReceiver;
let relay: HoldingRelay;
let worker: Process;

beforeAll(async () => {
  system = await startSystem();
  splunk = await startHecReceiver({ token: hecToken });
  relay = await startHoldingRelay(splunk.port);
  const file = join(system.home, 'hec-token');
  writeFileSync(file, hecToken);
  system.configure([httpConnection('splunk', relay.port, { secrets: { token: { file } } })]);
  // It makes the tables.
  await system.service('config-api', { CONFIG_DIR: '' });
  worker = await system.service('actions', { ACTIONS: 'export' });
}, 180_000);

afterAll(async () => {
  await system?.stop();
  await relay?.close();
  await splunk?.close();
});

const rows = Array.from({ length: 6_000 }, (_, n) => ({ n, at: `row-${n}.`, pad: 'x'.repeat(60) }));

function exportOf(commandId: string): Command {
  return rowsCommand(rows, {
    type: 'export',
    command_id: commandId,
    connection: 'splunk',
    params: { sink: 'splunk-hec' },
  });
}

/** Numbers of the rows that Splunk has of a command, in their order. */
const taken = (commandId: string): number[] =>
  splunk.events.flatMap(({ event }) => {
    const { command_id, data } = event as { command_id: string; data: { n: number } };
    return command_id === commandId ? [data.n] : [];
  });

async function finalOf(commandId: string): Promise<Result> {
  let final: Result | undefined;
  await until(`the end of ${commandId}`, async () => {
    for (const { key, value } of await readTopic(system.client, topics.results.name)) {
      const result = JSON.parse(String(value)) as Result;
      if (key === commandId && result.final) final = result;
    }
    return final !== undefined;
  });
  return final as Result;
}

/** Kills the worker while the request with the row 4,000 is held; answers how many rows Splunk had then, and the end after a restart. */
async function killAt(what: Hold['what'], commandId: string): Promise<{ had: number; final: Result }> {
  relay.hold({ what, after: 'row-4000.' });
  const producer = system.client.producer();
  const value = JSON.stringify(exportOf(commandId));
  await producer.send([{ topic: commandTopic('export').name, key: commandId, value }]);
  await producer.close();
  await until('the request is held', () => relay.held() === 1, 30_000, 10);
  const had = taken(commandId).length;
  await worker.kill();
  relay.hold(null);
  await worker.start();
  return { had, final: await finalOf(commandId) };
}

test('F02, A17, A32: before Splunk has the request: nothing twice, nothing missing', async () => {
  const id = 'a'.repeat(32);
  const { had, final } = await killAt('request', id);
  // Some requests were answered.
  expect(had).toBeGreaterThan(1_000);
  expect(had).toBeLessThan(4_000);
  expect(taken(id)).toEqual(rows.map(({ n }) => n));
  expect(final).toMatchObject({
    status: 'succeeded',
    possible_duplicate: true,
    output: { records: 6_000 },
  });
});

test('F02, A17, A32: after Splunk has taken the request: that request comes again, and no other', async () => {
  const id = 'b'.repeat(32);
  const { had, final } = await killAt('answer', id);
  expect(had).toBeGreaterThan(4_000);
  const numbers = taken(id);
  const repeated = numbers.slice(had, had + numbers.length - 6_000);
  expect(repeated.length).toBeGreaterThan(0);
  expect(repeated).toContain(4_000);
  // One request holds less than 1 MiB.
  expect(repeated.length).toBeLessThan(had / 2);
  const others = rows.map(({ n }) => n);
  expect(numbers).toEqual([...others.slice(0, had), ...others.slice(had - repeated.length)]);
  expect(new Set(numbers).size).toBe(6_000);
  expect(final).toMatchObject({ status: 'succeeded', possible_duplicate: true });
});
