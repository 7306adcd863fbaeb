// What readers make of records that were sent again from dead letters: only the service that gave them up takes them, and the evaluator
// makes the same commands of them as of the records that they were.
import type { Command } from '@tocsin/schemas/types.ts';
import { describe, expect, test } from 'vitest';
import type { Header } from '../ports/log.ts';
import { fakeAssignment, fakeBatch } from '../testing/assignments.ts';
import { assignmentOf, batchOf } from '../testing/batches.ts';
import { createTestDecider } from '../testing/decider.ts';
import { setup, value } from '../testing/sink-kit.ts';
import { topics } from '../topics.ts';

const topic = topics.findings.name;
const redriven = (service: string, source = `${topic}/0/7`): Header[] =>
  Object.entries({
    'x-redrive-of': '0'.repeat(32),
    'x-redrive-count': '1',
    'x-redrive-source': source,
    'x-redrive-for': service,
  }).map(([name, text]) => [name, Buffer.from(text)]);

describe('the evaluator', () => {
  const documents = [
    { kind: 'rule', id: 'all', match_all: true, then: [{ action: 'write' }] },
    { kind: 'action', id: 'write', type: 'log', params: {} },
  ];
  const event = JSON.stringify({ event: 'finding.new', timestamp: '2026-04-28T12:00:00Z', data: {} });

  async function commandsOf(offset: number, headers: readonly Header[]) {
    const { handler, on, metrics } = createTestDecider({ documents });
    const assignment = fakeAssignment(topic);
    await handler.onBatch(fakeBatch(topic, [{ value: event, headers }], offset), assignment);
    expect(assignment.completed).toEqual([[offset, offset + 1]]);
    const elsewhere = metrics.total('tocsin_records_total', { outcome: 'elsewhere' });
    const commands = on('commands.log.v1').map((record) => JSON.parse(String(record.value)) as Command);
    return { elsewhere, commands };
  }

  test('makes the command that it would have made of the first record', async () => {
    const [first] = (await commandsOf(7, [])).commands;
    const [again] = (await commandsOf(90, redriven('evaluator'))).commands;
    expect(again?.command_id).toBe(first?.command_id);
    expect(again?.source).toMatchObject({ id: `${topic}/0/7`, partition: 0, offset: 7 });
    const [other] = (await commandsOf(90, [])).commands;
    expect(other?.command_id).not.toBe(first?.command_id);
  });

  test('makes nothing of what was sent again for a sink', async () => {
    expect(await commandsOf(90, redriven('sinks/splunk'))).toEqual({ elsewhere: 1, commands: [] });
  });

  test('does not believe that a record comes from another topic', async () => {
    const [command] = (await commandsOf(90, redriven('evaluator', 'events.v1/0/7'))).commands;
    expect(command?.source.id).toBe(`${topic}/0/90`);
  });
});

test('a sink sends what was sent again for it, and nothing that was sent again for others', async () => {
  const { target, clock, onBatch, metrics } = setup();
  const assignment = assignmentOf();
  await onBatch(batchOf([value(0)], { headers: redriven('sinks/another') }), assignment);
  await onBatch(batchOf([value(1)], { offset: 1, headers: redriven('evaluator') }), assignment);
  await onBatch(batchOf([value(2)], { offset: 2, headers: redriven('sinks/soc') }), assignment);
  await clock.advance(1_000);
  expect(target.stored).toEqual([2]);
  expect(metrics.total('tocsin_sink_events_total', { outcome: 'elsewhere' })).toBe(2);
  expect(assignment.watermark()).toBe(3);
});
