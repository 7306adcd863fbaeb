// Every hostile event has its outcome, and its neighbours have theirs: a valid finding before and one after it become
// commands, and the batch completes.
import { describe, expect, test } from 'vitest';
import type { Header } from '../ports/log.ts';
import { fakeAssignment, fakeBatch } from '../testing/assignments.ts';
import { createTestDecider } from '../testing/decider.ts';
import { topics } from '../topics.ts';

const documents = [
  { kind: 'action', id: 'write', type: 'log', params: {}, mode: 'each' },
  { kind: 'rule', id: 'critical', when: { severity: 'critical' }, then: [{ action: 'write' }] },
  { kind: 'rule', id: 'score', when: { 'data.cvss': { gte: 9 } }, then: [{ action: 'write' }] },
  {
    kind: 'rule',
    id: 'flat',
    when: { 'data.source.ip': { prefix: '10.' } },
    then: [{ action: 'write' }],
  },
  { kind: 'rule', id: 'rows', source: 'search-results', match_all: true, then: [{ action: 'write' }] },
];

const at = Date.parse('2026-04-28T12:00:00Z');
const valid = { value: '{"event":"finding.new","data":{"severity":"critical"}}', timestamp: at };
const json = (data: string): string => `{"event":"finding.new","data":${data}}`;
const nest = (depth: number): string => `${'['.repeat(depth)}${']'.repeat(depth)}`;

async function judge(value: string | Buffer | null, more: { headers?: Header[]; timestamp?: number } = {}) {
  const run = createTestDecider({ documents, now: at });
  const assignment = fakeAssignment(topics.findings.name);
  const records = [valid, { value, timestamp: at, ...more }, valid];
  await run.handler.onBatch(fakeBatch(topics.findings.name, records), assignment);
  expect(assignment.completed).toEqual([[0, 3]]);
  const commands = run.on('commands.log.v1').map(({ value: text }) => JSON.parse(String(text)));
  const offsets = commands.map(({ source }) => source.offset);
  expect([offsets[0], offsets.at(-1)]).toEqual([0, 2]);
  return {
    reasons: run.reasons(),
    rules: commands.filter(({ source }) => source.offset === 1).map(({ rule }) => rule.id),
    noted: (reason: string) => run.metrics.total('tocsin_notes_total', { reason }),
    counted: (outcome: string) => run.metrics.total('tocsin_records_total', { outcome }),
    letters: run.on(topics.deadLetters.name),
    commands,
  };
}

describe('dead letters', () => {
  test.each<[string, string | Buffer, string]>([
    ['K01 truncated', '{"severity":"crit', 'json_syntax'],
    ['K02 invalid UTF-8', Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d]), 'utf8'],
    ['K04 UTF-16', Buffer.from(valid.value, 'utf16le'), 'utf8'],
    ['K07 an integer that a double cannot hold', json('{"id":9007199254740993}'), 'number_range'],
    ['K08 a number beyond the doubles', json('{"cvss":1e400}'), 'number_range'],
    ['K09 10,000 digits', json(`{"cvss":${'9'.repeat(10_000)}}`), 'number_range'],
    ['K10 NaN', json('{"cvss":NaN}'), 'json_syntax'],
    ['K10 Infinity', json('{"cvss":Infinity}'), 'json_syntax'],
    ['K11 10 MB', json(`{"x":"${'x'.repeat(10_000_000)}"}`), 'too_large'],
    [
      'K12 one byte too many',
      json(`{"x":"${'x'.repeat(1_048_577 - json('{"x":""}').length)}"}`),
      'too_large',
    ],
    ['K13 10,000 levels', json(nest(10_000)), 'depth'],
    ['K14 500,000 levels', json(nest(500_000)), 'depth'],
    [
      'K15 100,000 members',
      json(`{${Array.from({ length: 100_000 }, (_, k) => `"${k}":1`).join()}}`),
      'too_many_keys',
    ],
    ['K16 the same member twice', json('{"severity":"low","severity":"critical"}'), 'duplicate_key'],
    ['K19 a list', '[1]', 'not_object'],
    ['K19 null', 'null', 'not_object'],
    ['K19 a text', '"finding.new"', 'not_object'],
    ['K21 nothing', '', 'empty'],
    ['K22 a short Avro frame', Buffer.from([0, 1, 2]), 'avro_frame'],
    ['K25 Avro with a negative schema id', Buffer.from([0, 255, 255, 255, 255, 1]), 'schema_unknown'],
    ['K31 a frame without registry', Buffer.from([0, 0, 0, 0, 1, 8]), 'no_registry'],
    ['K41 a name of 10 KB', json(`{"${'n'.repeat(10_240)}":1}`), 'key_length'],
  ])('%s', async (_name, value, reason) => {
    const { reasons, rules, letters, counted } = await judge(value);
    expect([reasons, rules, counted('dead-letter')]).toEqual([[reason], [], 1]);
    const kept = letters[0]?.value as Buffer;
    expect(kept.equals(Buffer.from(value as string).subarray(0, kept.length))).toBe(true);
  });

  test.each<[string, Header[]]>([
    ['5,000 headers', Array.from({ length: 5_000 }, () => ['a', Buffer.from('b')] as const)],
    ['a header of 1 MB', [['trace', Buffer.alloc(1_000_000, 'x')]]],
  ])('K33 %s', async (_name, headers) => {
    const { reasons, rules, letters } = await judge(valid.value, { headers });
    expect([reasons, rules]).toEqual([['headers_limit'], []]);
    const size =
      letters[0]?.headers?.reduce((sum, [name, value]) => sum + name.length + value.length, 0) ?? 0;
    expect(size).toBeLessThan(64 * 1024);
  });

  test('K34 more hops than a chain of actions may have', async () => {
    const loop = '{"event":"finding.new","hops":9,"data":{"severity":"critical"}}';
    expect((await judge(loop)).reasons).toEqual(['loop_detected']);
  });

  test('K39 far more rows than one input may turn into commands', async () => {
    const run = createTestDecider({ documents, now: at });
    const rows = Array.from({ length: 20_000 }, (_, k) => ({ k }));
    const value = JSON.stringify({ job_id: 'j', run_id: 'r', rows });
    await run.handler.onBatch(
      fakeBatch(topics.searchResults.name, [{ value, timestamp: at }]),
      fakeAssignment(topics.searchResults.name),
    );
    expect([run.on('commands.log.v1').length, run.reasons()]).toEqual([100, ['fanout_limit']]);
  });
});

describe('accepted', () => {
  test.each<[string, string, string[], string | null]>([
    ['K03 a byte order mark', `\ufeff${valid.value}`, ['critical'], 'byte_order_mark'],
    ['K05 a lone surrogate', json('{"severity":"critical","x":"\\ud800"}'), ['critical'], null],
    ['K06 NUL', json('{"severity":"critical","x":"\\u0000"}'), ['critical'], null],
    ['K17 __proto__', json('{"__proto__":{"severity":"critical"}}'), [], 'forbidden_member'],
    ['K18 constructor', json('{"constructor":{"prototype":{"cvss":9}}}'), [], 'forbidden_member'],
    ['K32 no key', valid.value, ['critical'], null],
    [
      'K34 hops as text',
      '{"event":"a","hops":"abc","data":{"severity":"critical"}}',
      ['critical'],
      'invalid_hops',
    ],
    [
      'K34 negative hops',
      '{"event":"a","hops":-1,"data":{"severity":"critical"}}',
      ['critical'],
      'invalid_hops',
    ],
    ['K35 1970', '{"event":"a","timestamp":"1970-01-01T00:00:00Z"}', [], 'clock_skew'],
    ['K35 2099', '{"event":"a","timestamp":"2099-01-01T00:00:00Z"}', [], 'clock_skew'],
    ['K35 tomorrow', '{"event":"a","timestamp":"tomorrow"}', [], 'clock_skew'],
    ['K35 on time', '{"event":"a","timestamp":"2026-04-28T11:59:00Z"}', [], null],
    ['K37 spaces and capitals', json('{"severity":"CRITICAL "}'), ['critical'], null],
    ['K37 another language', json('{"severity":"Kritisch"}'), [], 'unknown_severity'],
    ['K37 a number', json('{"severity":11}'), [], 'unknown_severity'],
    ['K37 null', json('{"severity":null}'), [], null],
    ['K37 a list', json('{"severity":["critical"]}'), ['critical'], null],
    ['K38 a score as text', json('{"cvss":"9.8"}'), [], 'invalid_cvss'],
    ['K38 98', json('{"cvss":98}'), ['score'], 'invalid_cvss'],
    ['K38 "NaN"', json('{"cvss":"NaN"}'), [], 'invalid_cvss'],
    ['K41 flat names', json('{"source.ip":"10.0.0.1","a b":1,"$x":2,"🙂":3}'), ['flat'], null],
  ])('%s', async (_name, value, rules, note) => {
    const judged = await judge(value);
    expect([judged.reasons, judged.rules, judged.counted('evaluated')]).toEqual([[], rules, 3]);
    const notes = [
      ...['byte_order_mark', 'forbidden_member', 'invalid_hops', 'clock_skew'],
      ...['unknown_severity', 'invalid_cvss'],
    ];
    expect(notes.filter((reason) => judged.noted(reason) > 0)).toEqual(note === null ? [] : [note]);
    expect(({} as Record<string, unknown>)['severity']).toBeUndefined();
  });

  test('K20 a tombstone is counted and is no dead letter', async () => {
    const { reasons, counted } = await judge(null);
    expect([reasons, counted('tombstone')]).toEqual([[], 1]);
  });

  test('K36 a record without time is judged now', async () => {
    const { rules, commands } = await judge(valid.value, { timestamp: -1 });
    expect(rules).toEqual(['critical']);
    expect(commands.map(({ created_at }) => created_at)).toEqual([at, at, at]);
  });

  test('K40 a search result without rows is counted', async () => {
    const run = createTestDecider({ documents, now: at });
    await run.handler.onBatch(
      fakeBatch(topics.searchResults.name, [
        { value: '{"job_id":"j","run_id":"r","rows":[]}', timestamp: at },
      ]),
      fakeAssignment(topics.searchResults.name),
    );
    expect([run.sent.length, run.metrics.total('tocsin_notes_total', { reason: 'no_rows' })]).toEqual([0, 1]);
  });
});
