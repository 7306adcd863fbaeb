// The evaluator runner: every input ends in commands, in a dead letter, or in nothing that a rule wanted; then it completes.

import { createAvroEncoder } from '@tocsin/schemas/codecs/avro.ts';
import type { SchemaSource } from '@tocsin/schemas/codecs/decode.ts';
import { checkDocument } from '@tocsin/schemas/codecs/validate.ts';
import type { Command } from '@tocsin/schemas/types.ts';
import { describe, expect, test } from 'vitest';
import { LogError } from '../ports/log.ts';
import { fakeAssignment, fakeBatch } from '../testing/assignments.ts';
import { createTestDecider, type TestDeciderOptions } from '../testing/decider.ts';
import { topics } from '../topics.ts';

const documents = [
  {
    kind: 'rule',
    id: 'critical',
    when: { events: ['finding.new'], min_severity: 'high' },
    then: [{ action: 'write' }],
  },
  { kind: 'rule', id: 'everything', match_all: true, then: [{ action: 'write' }] },
  { kind: 'action', id: 'write', type: 'log', params: {} },
];

const decider = (options: Omit<TestDeciderOptions, 'documents'> = {}) =>
  createTestDecider({ documents, ...options });

const finding = (id: string, severity: string): string =>
  JSON.stringify({ id, event: 'finding.new', timestamp: '2026-04-28T12:00:00Z', data: { severity } });

const nested = (depth: number): string => '['.repeat(depth) + ']'.repeat(depth);

describe('evaluator runner', () => {
  test('commands carry the input key, each is announced, then the batch completes', async () => {
    const { handler, on } = decider();
    const assignment = fakeAssignment(topics.findings.name);
    const batch = fakeBatch(topics.findings.name, [{ key: 'a-1', value: finding('e1', 'critical') }], 7);
    await handler.onBatch(batch, assignment);
    const commands = on('commands.log.v1');
    expect(commands.map((record) => record.key?.toString())).toEqual(['a-1', 'a-1']);
    for (const record of commands)
      expect(checkDocument('command.json', JSON.parse(String(record.value)))).toEqual([]);
    const announced = on(topics.events.name).map((record) => JSON.parse(String(record.value)));
    expect(announced.map(({ event, data }) => [event, data.rule_id])).toEqual([
      ['action.triggered', 'critical'],
      ['action.triggered', 'everything'],
    ]);
    for (const event of announced) expect(checkDocument('envelope.json', event)).toEqual([]);
    expect(assignment.completed).toEqual([[7, 8]]);
  });

  test('the same record twice gives the same commands', async () => {
    const first = decider();
    const second = decider();
    for (const { handler } of [first, second])
      await handler.onBatch(
        fakeBatch(topics.findings.name, [{ value: finding('e1', 'critical') }]),
        fakeAssignment(topics.findings.name),
      );
    const ids = (run: typeof first): string[] =>
      run.on('commands.log.v1').map((record) => (JSON.parse(String(record.value)) as Command).command_id);
    expect(ids(first)).toEqual(ids(second));
    expect(new Set(ids(first)).size).toBe(2);
  });

  test.each([
    ['truncated JSON', '{"severity":"crit', 'json_syntax'],
    ['invalid UTF-8', Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d]), 'utf8'],
    ['2 MB value', `{"event":"finding.new","data":{"x":"${'x'.repeat(2_000_000)}"}}`, 'too_large'],
    ['10,000-deep nesting', `{"event":"finding.new","data":${nested(10_000)}}`, 'depth'],
    ['no object', '[1]', 'not_object'],
    ['empty', '', 'empty'],
    ['duplicate keys', '{"event":"a","event":"b"}', 'duplicate_key'],
    ['an envelope without event', '{"data":{}}', 'invalid_envelope'],
    ['an Avro frame without a registry', Buffer.from([0, 0, 0, 0, 9, 1, 2]), 'no_registry'],
  ])('%s is dead-lettered and takes nothing down', async (_name, value, reason) => {
    const { handler, on, reasons } = decider();
    const assignment = fakeAssignment(topics.findings.name);
    const batch = fakeBatch(topics.findings.name, [
      { value: finding('e1', 'low') },
      { value },
      { value: finding('e2', 'low') },
    ]);
    await handler.onBatch(batch, assignment);
    expect(reasons()).toEqual([reason]);
    expect(on('commands.log.v1').length).toBe(2);
    expect(assignment.completed).toEqual([[0, 3]]);
    const kept = on(topics.deadLetters.name)[0]?.value as Buffer;
    const original = Buffer.from(value as string);
    expect(kept.equals(original.subarray(0, kept.length))).toBe(true);
  });

  test('tombstones are counted, unknown event types are no error, __proto__ reaches nothing', async () => {
    const { handler, on, reasons, metrics } = decider();
    const values = [
      null,
      '{"event":"vendor.custom"}',
      '{"event":"finding.new","data":{"__proto__":{"severity":"critical"}}}',
    ];
    await handler.onBatch(
      fakeBatch(
        topics.findings.name,
        values.map((value) => ({ value })),
      ),
      fakeAssignment(topics.findings.name),
    );
    expect(reasons()).toEqual([]);
    expect(metrics.total('tocsin_records_total', { outcome: 'tombstone' })).toBe(1);
    const rules = on('commands.log.v1').map(
      (record) => (JSON.parse(String(record.value)) as Command).rule?.id,
    );
    expect(rules).toEqual(['everything', 'everything']);
    expect(({} as Record<string, unknown>)['severity']).toBeUndefined();
  });

  test("the engine's own events do not feed a rule that matches everything", async () => {
    const { handler, on } = decider();
    const event = JSON.stringify({
      id: 'x.completed',
      event: 'action.completed',
      hops: 1,
      data: { severity: 'critical' },
    });
    await handler.onBatch(
      fakeBatch(topics.events.name, [{ value: event }]),
      fakeAssignment(topics.events.name),
    );
    expect(on('commands.log.v1')).toEqual([]);
  });

  test('a command that no broker would take becomes a dead letter, its neighbours go on', async () => {
    const { handler, reasons, on } = decider();
    const big = JSON.stringify({ event: 'finding.new', data: { text: '"'.repeat(510_000) } });
    const assignment = fakeAssignment(topics.findings.name);
    await handler.onBatch(
      fakeBatch(topics.findings.name, [{ value: big }, { value: finding('e', 'low') }]),
      assignment,
    );
    expect(reasons()).toEqual(['command_too_large']);
    expect(on('commands.log.v1').length).toBe(1);
    expect(assignment.completed).toEqual([[0, 2]]);
  });

  test('Avro events are judged by their parts and acted on as a whole', async () => {
    const schema = {
      type: 'record',
      name: 'E',
      fields: [
        { name: 'event', type: 'string' },
        {
          name: 'data',
          type: {
            type: 'record',
            name: 'D',
            fields: [
              { name: 'severity', type: 'string' },
              { name: 'title', type: 'string' },
              {
                name: 'evidence',
                type: {
                  type: 'array',
                  items: {
                    type: 'record',
                    name: 'V',
                    fields: [
                      { name: 'kind', type: 'string' },
                      { name: 'status', type: 'int' },
                    ],
                  },
                },
              },
            ],
          },
        },
      ],
    };
    const rules = [
      { kind: 'rule', id: 'high', when: { min_severity: 'high' }, then: [{ action: 'write' }] },
      {
        kind: 'rule',
        id: 'each',
        when: { each: { path: 'data.evidence', match: { kind: 'http', status: { gte: 500 } } } },
        then: [{ action: 'write' }],
      },
      { kind: 'rule', id: 'texts', when: { 'data.*': { contains: 'needle' } }, then: [{ action: 'write' }] },
    ];
    const schemas: SchemaSource = { schemaById: async () => ({ ok: true, schema: JSON.stringify(schema) }) };
    const { handler, on } = createTestDecider({ documents: [...rules, documents.at(-1)!], schemas });
    const encode = createAvroEncoder(9, schema);
    const data = (severity: string, title: string, kind: string, status: number) => ({
      event: 'finding.new',
      data: { severity, title, evidence: [{ kind, status }] },
    });
    const events = [
      data('low', 'nothing', 'dns', 500),
      data('high', 'x', 'dns', 500),
      data('low', 'x', 'http', 503),
      data('low', 'a needle here', 'dns', 1),
    ];
    await handler.onBatch(
      fakeBatch(
        topics.findings.name,
        events.map((event) => ({ value: encode(event) })),
      ),
      fakeAssignment(topics.findings.name),
    );
    const commands = on('commands.log.v1').map((record) => JSON.parse(String(record.value)) as Command);
    expect(commands.map(({ rule, subject }) => [rule?.id, subject.event])).toEqual([
      ['high', events[1]],
      ['each', events[2]],
      ['texts', events[3]],
    ]);
  });

  test('while the registry is down the partition waits and nothing is dead-lettered', async () => {
    let down = true;
    const schemas: SchemaSource = {
      schemaById: async () =>
        down
          ? { ok: false, reason: 'registry_unavailable', detail: 'ECONNREFUSED' }
          : { ok: false, reason: 'schema_unknown', detail: 'id 9' },
    };
    const { handler, reasons, clock } = decider({ schemas });
    const assignment = fakeAssignment(topics.findings.name);
    let done = false;
    const running = handler
      .onBatch(fakeBatch(topics.findings.name, [{ value: Buffer.from([0, 0, 0, 0, 9, 1, 2]) }]), assignment)
      .then(() => (done = true));
    await clock.advance(60_000);
    expect([done, reasons(), assignment.completed]).toEqual([false, [], []]);
    down = false;
    await clock.advance(2_000);
    await running;
    expect(reasons()).toEqual(['schema_unknown']);
    expect(assignment.completed).toEqual([[0, 1]]);
  });

  test('nothing completes before the log took the commands', async () => {
    let down = true;
    const { handler, clock } = decider({
      send: async () => {
        if (down) throw new LogError('down', { retriable: true });
      },
    });
    const assignment = fakeAssignment(topics.findings.name);
    const running = handler.onBatch(
      fakeBatch(topics.findings.name, [{ value: finding('e', 'high') }]),
      assignment,
    );
    await clock.advance(20_000);
    expect(assignment.completed).toEqual([]);
    down = false;
    await clock.advance(20_000);
    await running;
    expect(assignment.completed).toEqual([[0, 1]]);
  });
});
