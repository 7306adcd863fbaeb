// A candidate rule over past records, beside the live one: counts, samples, what is left out, and no effect whatsoever.
import { readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { SchemaSource } from '@tocsin/schemas/codecs/decode.ts';
import type { Rule } from '@tocsin/schemas/types.ts';
import { describe, expect, expectTypeOf, test } from 'vitest';
import { parseRule, type RuleRevision } from '../domain/rules/parse-rule.ts';
import { fakeClock } from '../ports/fakes/clock.ts';
import { type FakeLog, fakeLog } from '../ports/fakes/log.ts';
import { topics } from '../topics.ts';
import { type BacktestOptions, type BacktestReport, backtest, type ReplayLog } from './backtest.ts';
import { createTally, maxTypes } from './backtest-tally.ts';

const day = 86_400_000;
const start = Date.UTC(2026, 3, 28);

function revision(when: Rule['when'], more: Partial<Rule> = {}): RuleRevision {
  const { rule, issues } = parseRule({ kind: 'rule', id: 'r', when, then: [{ action: 'a' }], ...more });
  expect(issues).toEqual([]);
  return { ...rule!, revision: 1 };
}

const critical = revision({ min_severity: 'critical' });
const high = revision({ min_severity: 'high' });

interface Given {
  readonly value: unknown;
  readonly timestamp: number;
  readonly partition?: number;
}

const finding = (id: string, severity: string, timestamp: number, more: object = {}): Given => ({
  value: { id, event: 'finding.new', data: { severity }, ...more },
  timestamp,
});

async function logOf(records: readonly Given[], topic = topics.findings.name): Promise<FakeLog> {
  const log = fakeLog({ clock: fakeClock(), topics: { [topic]: 2 }, batchSize: 2 });
  const producer = log.producer();
  for (const { value, timestamp, partition = 0 } of records) {
    const bytes =
      value === null || typeof value === 'string' || Buffer.isBuffer(value) ? value : JSON.stringify(value);
    await producer.send([{ topic, partition, key: null, value: bytes, timestamp }]);
  }
  return log;
}

function replay(log: FakeLog): ReplayLog {
  return { table: (options) => log.table(options), offsetsAt: log.admin().offsetsAt };
}

function run(log: FakeLog, more: Partial<BacktestOptions> = {}): Promise<BacktestReport> {
  return backtest({
    log: replay(log),
    topics: [topics.findings],
    from: start,
    to: start + 7 * day,
    candidate: high,
    live: critical,
    lists: new Map(),
    schemas: null,
    ...more,
  });
}

const totals = ({ both, onlyCandidate, onlyLive }: BacktestReport): number[] => [
  both.total,
  onlyCandidate.total,
  onlyLive.total,
];

test('the difference, by type and day, with the first samples by place', async () => {
  const log = await logOf([
    finding('a', 'critical', start),
    { ...finding('b', 'high', start + day), partition: 1 },
    finding('c', 'high', start + day),
    finding('d', 'low', start + day),
    {
      ...finding('e', 'high', start + 2 * day),
      value: { event: 'finding.changed', data: { severity: 'high' } },
    },
  ]);
  const report = await run(log);
  expect(report).toMatchObject({ records: 5, subjects: 5, notEvaluated: new Map() });
  expect(totals(report)).toEqual([1, 3, 0]);
  expect([...report.onlyCandidate.byType]).toEqual([
    ['finding.new', 2],
    ['finding.changed', 1],
  ]);
  expect([...report.onlyCandidate.byDay]).toEqual([
    ['2026-04-29', 2],
    ['2026-04-30', 1],
  ]);
  expect(report.onlyCandidate.samples).toEqual([
    { topic: 'findings.v1', partition: 0, offset: 1, timestamp: start + day, id: 'c', type: 'finding.new' },
    {
      topic: 'findings.v1',
      partition: 0,
      offset: 3,
      timestamp: start + 2 * day,
      id: 'findings.v1/0/3',
      type: 'finding.changed',
    },
    { topic: 'findings.v1', partition: 1, offset: 0, timestamp: start + day, id: 'b', type: 'finding.new' },
  ]);
  expect(totals(await run(log, { candidate: critical, live: high }))).toEqual([1, 0, 3]);
  expect(totals(await run(log, { live: null }))).toEqual([0, 4, 0]);
});

test('the range is [from, to) of the time of each record, in whatever order they came', async () => {
  const log = await logOf([
    finding('old', 'critical', start - 1),
    finding('first', 'critical', start),
    finding('future', 'critical', start + 1000 * day),
    finding('late', 'critical', start - 5),
    finding('last', 'critical', start + 7 * day - 1),
    finding('end', 'critical', start + 7 * day),
  ]);
  const { both, records } = await run(log);
  expect([records, both.samples.map(({ id }) => id)]).toEqual([2, ['first', 'last']]);
});

test('what the evaluator does not evaluate is counted by reason and asked of no rule', async () => {
  const log = await logOf([
    { value: null, timestamp: start },
    { value: '{', timestamp: start },
    { value: '[]', timestamp: start },
    { value: { data: {} }, timestamp: start },
    { value: { ...(finding('t', 'critical', start).value as object), test: true }, timestamp: start },
    { value: Buffer.from([0, 0, 0, 0, 1, 2]), timestamp: start },
  ]);
  const report = await run(log);
  expect([report.records, report.subjects, totals(report)]).toEqual([6, 0, [0, 0, 0]]);
  expect(Object.fromEntries(report.notEvaluated)).toEqual({
    tombstone: 1,
    json_syntax: 1,
    not_object: 1,
    invalid_envelope: 1,
    test_event: 1,
    no_registry: 1,
  });
});

test('rows are compared one by one', async () => {
  const log = await logOf(
    [
      {
        value: { job_id: 'j', run_id: 'r', rows: [{ n: 1 }, { n: 5 }, { n: 9 }], row_base: 10 },
        timestamp: start,
      },
    ],
    topics.searchResults.name,
  );
  const rows = (n: object): RuleRevision => revision({ n }, { source: 'search-results' });
  const report = await run(log, {
    topics: [topics.searchResults],
    candidate: rows({ lt: 6 }),
    live: rows({ gt: 4 }),
  });
  expect([report.subjects, totals(report)]).toEqual([3, [1, 1, 1]]);
  expect(report.onlyLive.samples).toMatchObject([{ id: 'j/r', type: 'search j', row: 12, offset: 0 }]);
});

test("the engine's own events are for rules that name them, as in the evaluator", async () => {
  const log = await logOf(
    [{ value: { event: 'action.failed', data: {} }, timestamp: start }],
    topics.events.name,
  );
  const all = revision(undefined, { match_all: true });
  const named = revision({ events: ['action.*'] });
  expect(totals(await run(log, { topics: [topics.events], candidate: named, live: all }))).toEqual([0, 1, 0]);
});

test('Avro whose schema has to be asked for is part of the answer', async () => {
  const type = { type: 'record', name: 'E', fields: [{ name: 'event', type: 'string' }] };
  const schemas: SchemaSource = {
    schemaById: async () => ({ ok: true, schema: JSON.stringify(type) }),
  };
  const text = Buffer.from('finding.new');
  const value = Buffer.concat([Buffer.from([0, 0, 0, 0, 7, text.length * 2]), text]);
  const log = await logOf([
    { value, timestamp: start },
    { value, timestamp: start },
  ]);
  const report = await run(log, { schemas, candidate: revision({ events: ['finding.new'] }) });
  expect(totals(report)).toEqual([0, 2, 0]);
});

test('a registry that is away ends the backtest: a difference over a part would look whole', async () => {
  const schemas: SchemaSource = {
    schemaById: async () => ({ ok: false, reason: 'registry_unavailable', detail: 'connect' }),
  };
  const log = await logOf([{ value: Buffer.from([0, 0, 0, 0, 7, 0]), timestamp: start }]);
  await expect(run(log, { schemas })).rejects.toThrow('schema registry');
});

test('a log that cannot be read ends the backtest with its error', async () => {
  const log = await logOf([finding('a', 'critical', start)]);
  await expect(run(log, { topics: [topics.searchResults] })).rejects.toThrow(
    'topic search-results.v1 does not exist',
  );
});

test('hostile types cannot grow the report without bound', () => {
  const tally = createTally(1);
  for (let index = 0; index < maxTypes + 50; index += 1)
    tally.add(true, true, {
      topic: 't',
      partition: 0,
      offset: index,
      timestamp: 0,
      id: 'x',
      type: `e${index}`,
    });
  const { both } = tally.report();
  expect([both.byType.size, both.byType.get('(other)'), both.samples.length]).toEqual([maxTypes + 1, 50, 1]);
});

describe('no effect', () => {
  test('nothing is written and no group is joined', async () => {
    const log = await logOf([finding('a', 'critical', start)]);
    const before = log.records(topics.findings.name).length;
    await run(log);
    expect(log.records(topics.findings.name)).toHaveLength(before);
  });

  test('its log has no way to write', () => {
    expectTypeOf<ReplayLog>().not.toHaveProperty('producer');
    expectTypeOf<ReplayLog>().not.toHaveProperty('consumer');
    expectTypeOf<keyof BacktestOptions>().toEqualTypeOf<
      'log' | 'topics' | 'from' | 'to' | 'candidate' | 'live' | 'lists' | 'schemas' | 'samples'
    >();
  });

  test('nothing that it imports, types included, can write or act', () => {
    const graph = importsFrom('run/backtest.ts');
    expect(graph.has('domain/rules/compile.ts')).toBe(true);
    const acting =
      /^(actions|sinks|flows)\/|^run\/(?!backtest)|plan-commands|evaluate\/decide|ports\/(?!log\.ts)/;
    expect([...graph].filter((file) => acting.test(file))).toEqual([]);
    const writing = /\bproducer\(|\bLogProducer\b|\.send\(|\bOutRecord\b/;
    expect([...graph].filter((file) => file !== 'ports/log.ts' && writing.test(sourceOf(file)))).toEqual([]);
  });

  test('the reader of imports would see it', () => {
    const graph = importsFrom('run/decide.ts');
    expect([...graph]).toEqual(expect.arrayContaining(['run/outbox.ts', 'domain/evaluate/plan-commands.ts']));
  });
});

const root = fileURLToPath(new URL('..', import.meta.url));

function sourceOf(file: string): string {
  return readFileSync(join(root, file), 'utf8');
}

/** Every file of topologies/ that one reaches by import lines. */
function importsFrom(file: string, seen = new Set<string>()): Set<string> {
  if (seen.has(file)) return seen;
  seen.add(file);
  const pattern = /(?:from|import)\s*\(?\s*['"](\.[^'"]+)['"]/g;
  for (const [, target = ''] of sourceOf(file).matchAll(pattern))
    importsFrom(relative(root, join(root, dirname(file), target)), seen);
  return seen;
}
