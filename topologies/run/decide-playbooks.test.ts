// The evaluator's runner and playbooks: what goes to which topic under which key, from JSON and Avro, and in which order.
import { createAvroEncoder } from '@tocsin/schemas/codecs/avro.ts';
import type { SchemaSource } from '@tocsin/schemas/codecs/decode.ts';
import { checkDocument } from '@tocsin/schemas/codecs/validate.ts';
import type { PlaybookVersion } from '@tocsin/schemas/types.ts';
import { expect, test } from 'vitest';
import { correlationKey, runKey } from '../domain/playbooks/tokens.ts';
import type { OutRecord } from '../ports/log.ts';
import { fakeAssignment, fakeBatch } from '../testing/assignments.ts';
import { createTestDecider, type TestDeciderOptions } from '../testing/decider.ts';
import { topics } from '../topics.ts';

const runs = topics.runs.name;
const correlations = topics.correlations.name;
const action = { kind: 'action', id: 'write', type: 'log', params: {} };
const contain = {
  kind: 'playbook',
  id: 'contain',
  trigger: { when: { severity: 'critical' } },
  steps: [
    { id: 'ask', action: 'write' },
    { id: 'wait', waitFor: { event: 'scan.completed', correlate: 'x', at: 'data.scan_id' } },
  ],
};
const finding = (id: string, more: object = {}) =>
  JSON.stringify({ id, event: 'finding.new', data: { severity: 'critical', ...more } });
const scan = (more: object = {}) =>
  JSON.stringify({ id: 's1', event: 'scan.completed', data: { scan_id: 7, ...more } });

async function decided(
  values: readonly (string | Buffer)[],
  options: Omit<TestDeciderOptions, 'documents'> & {
    documents?: TestDeciderOptions['documents'];
    topic?: string;
  } = {},
) {
  const { topic = topics.findings.name, documents = [action, contain], ...more } = options;
  const decider = createTestDecider({ documents, ...more });
  const assignment = fakeAssignment(topic);
  const batch = fakeBatch(
    topic,
    values.map((value) => ({ value, key: 'asset' })),
  );
  const done = decider.handler.onBatch(batch, assignment);
  await done;
  return { ...decider, assignment };
}
const shown = (records: readonly OutRecord[]) =>
  records.map(({ key, value }) => [String(key), JSON.parse(String(value))]);

test('starts go to the inputs of runs under the key of the run, and are counted', async () => {
  const { on, metrics, assignment } = await decided([
    finding('e1'),
    finding('e2', { severity: 'low' }),
    finding('e3'),
  ]);
  expect(shown(on(runs)).map(([key, { kind, event }]) => [key, kind, event.id])).toEqual([
    [runKey('contain', '', ['e1']), 'start', 'e1'],
    [runKey('contain', '', ['e3']), 'start', 'e3'],
  ]);
  for (const [, input] of shown(on(runs))) expect(checkDocument('run-input.json', input)).toEqual([]);
  expect(metrics.total('tocsin_run_starts_total', { playbook: 'contain', by: 'trigger' })).toBe(2);
  expect(metrics.total('tocsin_records_total', { outcome: 'evaluated' })).toBe(3);
  expect(assignment.completed).toEqual([[0, 3]]);
});

test('starts by rules are counted as theirs', async () => {
  const rule = { kind: 'rule', id: 'r', match_all: true, then: [{ playbook: 'contain' }] };
  const { metrics } = await decided([finding('e1', { severity: 'low' })], {
    documents: [action, contain, rule],
  });
  expect(metrics.total('tocsin_run_starts_total', { playbook: 'contain', by: 'rule' })).toBe(1);
  expect(metrics.total('tocsin_rule_matches_total', { rule: 'r' })).toBe(1);
});

test.each([topics.findings.name, topics.events.name])(
  'events that runs wait for are handed on from %s under their correlation key',
  async (topic) => {
    const { on, metrics } = await decided(
      [scan(), scan({ scan_id: null }), finding('x', { severity: 'low' })],
      { topic },
    );
    expect(shown(on(correlations))).toEqual([
      [correlationKey('', 'data.scan_id', '7'), { kind: 'event', id: 's1', event: JSON.parse(scan()) }],
    ]);
    expect(metrics.total('tocsin_awaited_events_total')).toBe(1);
    expect(on(runs)).toEqual([]);
  },
);

test('an event that stays too large for runs is a dead letter; its neighbours go on', async () => {
  const large = scan({ text: 'x'.repeat(70_000) });
  const { on, reasons, metrics } = await decided([large, scan({ list: [large] }), scan()]);
  expect(reasons()).toEqual(['awaited_event_too_large']);
  expect(on(correlations).length).toBe(2);
  expect(metrics.total('tocsin_notes_total', { reason: 'awaited_event_reduced' })).toBe(1);
});

test('a start that no broker would take is a dead letter', async () => {
  const { on, reasons } = await decided([finding('big', { text: '"'.repeat(510_000) }), finding('e')]);
  expect(reasons()).toEqual(['start_too_large']);
  expect(on(runs).length).toBe(1);
});

test('an unknown playbook is a dead letter, one that is switched off is counted only', async () => {
  const rule = (id: string, playbook: string) => ({
    kind: 'rule',
    id,
    match_all: true,
    then: [{ playbook }],
  });
  const off = { ...contain, id: 'off', enabled: false };
  const { reasons, metrics, on } = await decided([finding('e1')], {
    documents: [action, off, rule('a', 'gone'), rule('b', 'off')],
  });
  expect(reasons()).toEqual(['unknown_playbook']);
  expect(metrics.total('tocsin_refusals_total', { reason: 'playbook_disabled' })).toBe(1);
  expect(on(runs)).toEqual([]);
});

test('Avro events start runs and are handed on as a whole', async () => {
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
          fields: ['severity', 'scan_id', 'title'].map((name) => ({ name, type: 'string' })),
        },
      },
    ],
  };
  const schemas: SchemaSource = { schemaById: async () => ({ ok: true, schema: JSON.stringify(schema) }) };
  const encode = createAvroEncoder(9, schema);
  const events = [
    { event: 'finding.new', data: { severity: 'critical', scan_id: '', title: 'T' } },
    { event: 'scan.completed', data: { severity: 'low', scan_id: 's-7', title: 'T' } },
  ];
  const { on } = await decided(
    events.map((event) => encode(event)),
    { schemas },
  );
  expect(shown(on(runs)).map(([, { event }]) => event)).toEqual([events[0]]);
  expect(shown(on(correlations)).map(([key, { event }]) => [key, event])).toEqual([
    [correlationKey('', 'data.scan_id', 's-7'), events[1]],
  ]);
});

test('versions made from files are published before a start names them, those of playbooks below with them', async () => {
  const order: string[] = [];
  const below = { kind: 'playbook', id: 'below', steps: [{ id: 'a', action: 'write' }] };
  const above = { ...contain, steps: [{ id: 'run', playbook: { id: 'below' } }] };
  const idle = { ...below, id: 'idle' };
  const published: PlaybookVersion[] = [];
  const { assignment } = await decided([finding('e1'), finding('e2')], {
    documents: [action, below, above, idle],
    versions: 'files',
    publish: async (versions) => {
      await Promise.resolve();
      order.push(...versions.map(({ document }) => `published ${document.id}`));
      published.push(...versions);
    },
    send: async (records) => {
      for (const { topic, value } of records)
        order.push(`sent ${topic} ${JSON.parse(String(value)).revision}`);
    },
  });
  const [version, sub] = published;
  expect(order).toEqual([
    'published contain',
    'published below',
    `sent ${runs} ${version?.revision}`,
    `sent ${runs} ${version?.revision}`,
  ]);
  expect(version?.playbooks).toEqual({ below: sub?.revision });
  for (const one of published) expect(checkDocument('playbook-version.json', one)).toEqual([]);
  expect(assignment.completed).toEqual([[0, 2]]);
});

test('nothing is sent or completed while versions cannot be published', async () => {
  const decider = createTestDecider({
    documents: [action, contain],
    versions: 'files',
    publish: () => Promise.reject(new Error('the log refuses')),
  });
  const assignment = fakeAssignment(topics.findings.name);
  await expect(
    decider.handler.onBatch(fakeBatch(topics.findings.name, [{ value: finding('e1') }]), assignment),
  ).rejects.toThrow('the log refuses');
  expect([decider.sent, assignment.completed]).toEqual([[], []]);
});
