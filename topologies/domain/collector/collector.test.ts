// What a run in chunks ends in: a command, nothing, or a dead letter that says why.
import { checkDocument } from '@tocsin/schemas/codecs/validate.ts';
import type { CollectionInput } from '@tocsin/schemas/types.ts';
import { describe, expect, test } from 'vitest';
import { topics } from '../../topics.ts';
import { maxCollectedBytes } from '../evaluate/collect.ts';
import { readCollectionInput } from './collector-fold.ts';
import { began, hitTables, inputOf, type Row, stageCollector, wholeCommand } from './kit.ts';
import { type Collecting, chunkTimeoutMs, endedMs } from './state.ts';

const hit = (n: number): Row => ({ hit: true, n });
const miss: Row = { hit: false };
const all = hitTables({ mode: 'all' });
const first = hitTables({ mode: 'first' });
const minute = 60_000;

/** Chunk `chunk` of three, with two rows each unless said otherwise. */
const of3 = (chunk: number, rows: Row[], tables = all, more: Record<string, unknown> = {}): CollectionInput =>
  inputOf(rows, { chunk, chunks: 3, row_base: chunk * 2, ...more }, tables, 40 + chunk);

describe('a command', () => {
  test('all: every matching row in order, the rows of the run counted, announced once', () => {
    const stage = stageCollector();
    const outcomes = [
      stage.put(of3(2, [hit(4), hit(5)])),
      stage.put(of3(0, [hit(0), miss])),
      stage.put(of3(1, [miss, miss])),
    ];
    expect(outcomes).toEqual(['collected', 'collected', 'triggered']);
    const [command] = stage.commands();
    expect(checkDocument('command.json', command)).toEqual([]);
    expect(command).toMatchObject({
      command_id: wholeCommand([hit(0)], all)?.command_id,
      row_index: 'all',
      source: { id: 'failed-logins/2026-04-28T12:00', offset: 40 },
      subject: { rows: [hit(0), hit(4), hit(5)], total_rows: 6 },
    });
    expect(stage.records.map(({ topic, key }) => [topic, key])).toEqual([
      ['commands.log.v1', 'failed-logins'],
      [topics.events.name, 'failed-logins/2026-04-28T12:00'],
    ]);
    const event = JSON.parse(String(stage.records[1]?.value)) as { data: object };
    expect(checkDocument('envelope.json', event)).toEqual([]);
    expect(event).toMatchObject({
      id: `${command?.command_id}.triggered`,
      event: 'action.triggered',
      data: { execution_id: command?.command_id, rule_id: 'hits', chunks: 3 },
    });
    expect(event.data).not.toHaveProperty('rule_revisions');
  });

  test('first: as soon as all chunks before the first match came, whatever comes later', () => {
    const stage = stageCollector();
    expect(stage.put(of3(1, [miss, hit(3)], first))).toBe('collected');
    expect(stage.put(of3(0, [miss, miss], first))).toBe('triggered');
    expect(stage.commands()).toMatchObject([{ row_index: 3, subject: { rows: [hit(3)] } }]);
    expect(stage.commands()[0]?.subject).not.toHaveProperty('total_rows');
    expect(stage.put(of3(2, [hit(4), hit(5)], first))).toBe('after_end');
    expect(stage.commands().length).toBe(1);
  });

  test('first: an earlier chunk that comes later has the first row', () => {
    const stage = stageCollector();
    stage.put(of3(2, [hit(4)], first));
    stage.put(of3(1, [miss, hit(3)], first));
    stage.put(of3(0, [miss, hit(1)], first));
    expect(stage.commands()).toMatchObject([{ row_index: 1, subject: { rows: [hit(1)] } }]);
  });

  test.each(['all', 'first'] as const)('%s: no matching row in the whole run, nothing', (mode) => {
    const stage = stageCollector();
    const tables = hitTables({ mode });
    const outcomes = [0, 1, 2].map((chunk) => stage.put(of3(chunk, [miss], tables)));
    expect(outcomes).toEqual(['collected', 'collected', 'nothing']);
    expect([stage.records, stage.timers.size]).toEqual([[], 0]);
  });

  test('gaps between row bases are the word of the producer; without bases rows are counted', () => {
    const based = stageCollector();
    based.put(of3(1, [miss, hit(3)], first, { row_base: 100 }));
    based.put(of3(0, [miss], first));
    expect(based.commands()[0]?.row_index).toBe(101);
    const counted = stageCollector();
    const plain = (chunk: number, rows: Row[]) => inputOf(rows, { chunk, chunks: 3 }, first);
    counted.put(plain(1, [miss, hit(3)]));
    counted.put(plain(0, [miss, miss, miss]));
    expect(counted.commands()[0]?.row_index).toBe(4);
  });

  test('of a rule that was edited in between: each chunk counts as it was judged, chunk 0 says how to act', () => {
    const edited = hitTables(
      { mode: 'all', with: { note: 'new' } },
      { revision: 4, more: { when: { n: { gte: 0 } } } },
    );
    const stage = stageCollector();
    stage.put(of3(1, [{ hit: false, n: 9 }], edited));
    stage.put(of3(0, [hit(0), { hit: false, n: 8 }], all));
    stage.put(of3(2, [miss], edited));
    expect(stage.commands()).toMatchObject([
      { rule: { revision: 3 }, params: {}, subject: { rows: [hit(0), { hit: false, n: 9 }] } },
    ]);
    const event = JSON.parse(String(stage.records[1]?.value));
    expect(event.data.rule_revisions).toEqual([3, 4]);
  });
});

describe('after the end', () => {
  test('the same chunks do nothing for a day; then they are a new run', () => {
    const stage = stageCollector();
    const again = (now: number) => [0, 1, 2].map((chunk) => stage.put(of3(chunk, [hit(chunk)]), now));
    expect(again(began)).toEqual(['collected', 'collected', 'triggered']);
    expect(again(began + endedMs - 1)).toEqual(['after_end', 'after_end', 'after_end']);
    expect(again(began + endedMs)).toEqual(['collected', 'collected', 'triggered']);
    const [before, after] = stage.commands();
    expect(after?.command_id).toBe(before?.command_id);
  });

  test('nothing of the rows is kept', () => {
    const stage = stageCollector();
    for (const chunk of [0, 1, 2]) stage.put(of3(chunk, [hit(chunk)]));
    expect(stage.state).toEqual({ status: 'ended', end: 'triggered', until: began + endedMs });
  });
});

describe('a chunk that is repeated, or does not fit', () => {
  test('repeated: ignored, also with another offset', () => {
    const stage = stageCollector();
    stage.put(of3(0, [hit(0)]));
    const before = stage.state;
    expect(stage.put(inputOf([hit(0)], { chunk: 0, chunks: 3, row_base: 0 }, all, 99), began + minute)).toBe(
      'repeated',
    );
    expect(stage.state).toEqual(before);
  });

  test.each<[string, CollectionInput, string]>([
    ['another number of chunks', of3(1, [hit(1)], all, { chunks: 4 }), '4 chunks instead of 3'],
    ['other rows under the same number', of3(0, [hit(7), miss]), 'chunk 0 came before with other rows'],
    [
      'other rows that match as little',
      of3(0, [hit(0), { hit: false, n: 1 }]),
      'chunk 0 came before with other rows',
    ],
    [
      'the same rows at another place',
      of3(0, [hit(0), miss], all, { row_base: 1 }),
      'chunk 0 came before with other rows',
    ],
    [
      'rows that overlap an earlier chunk',
      of3(1, [hit(1)], all, { row_base: 1 }),
      'the rows of chunk 1, 1 to 1, and of chunk 0, 0 to 1, are not in that order',
    ],
    [
      'rows that overlap a later chunk',
      of3(1, [hit(1), miss], all, { row_base: 9 }),
      'the rows of chunk 1, 9 to 10, and of chunk 2, 10 to 10, are not in that order',
    ],
    ['another mode', of3(1, [hit(1)], first), 'mode first instead of all'],
  ])('%s: a dead letter; the run goes on as it began', (_what, input, detail) => {
    const stage = stageCollector();
    stage.put(of3(0, [hit(0), miss]));
    stage.put(of3(2, [hit(4)], all, { row_base: 10 }));
    const before = stage.state;
    expect(stage.put(input, began + minute)).toBe('contradicting');
    expect(stage.state).toEqual(before);
    expect(stage.letters()).toMatchObject([
      {
        'x-dlq-class': 'input',
        'x-dlq-reason': 'contradicting_chunk',
        'x-dlq-service': 'collector',
        'x-dlq-source': 'collections.v1/1/2',
        value: input,
      },
    ]);
    const { offset } = (input as { template: { source: { offset: number } } }).template.source;
    expect(stage.letters()[0]).toHaveProperty(
      ['x-dlq-error'],
      `run failed-logins/2026-04-28T12:00, rule hits, action log: ${detail} (search-results.v1/3/${offset})`,
    );
    expect(stage.put(of3(1, [hit(2)]))).toBe('triggered');
    expect(stage.commands()[0]?.subject.rows).toEqual([hit(0), hit(2), hit(4)]);
  });

  test('a number beyond the run, which no evaluator writes, begins no run', () => {
    const stage = stageCollector();
    const input = { ...of3(0, [hit(0)]), chunk: 3 } as CollectionInput;
    expect([stage.put(input), stage.state, stage.timers.size]).toEqual(['contradicting', null, 0]);
  });
});

describe('a run that stays incomplete', () => {
  test('an hour after its last chunk: a dead letter with what is missing, no command, and nothing stays', () => {
    const stage = stageCollector();
    const of9 = (chunk: number) => inputOf([hit(chunk)], { chunk, chunks: 9 }, all);
    stage.put(of9(2));
    stage.put(of9(7), began + 50 * minute);
    stage.put(of9(4), began + 59 * minute);
    expect([...stage.timers.values()]).toEqual([began + chunkTimeoutMs]);
    expect(stage.fire()).toBe('waiting');
    expect([...stage.timers.values()]).toEqual([began + 59 * minute + chunkTimeoutMs]);
    expect(stage.fire()).toBe('incomplete');
    expect([stage.state, stage.timers.size, stage.commands()]).toEqual([null, 0, []]);
    const [letter] = stage.letters();
    expect(letter).toMatchObject({
      'x-dlq-reason': 'incomplete_run',
      'x-dlq-error':
        'run failed-logins/2026-04-28T12:00, rule hits, action log: of 9 chunks these did not come within 60 minutes after the last one: 0-1, 3, 5-6, 8',
      'x-dlq-command-id': wholeCommand([hit(0)], all)?.command_id,
      value: {
        chunks: 9,
        missing: '0-1, 3, 5-6, 8',
        held: [{ rows: [hit(2)] }, { rows: [hit(4)] }, { rows: [hit(7)] }],
      },
    });
  });

  test('a repeated or contradicting chunk does not make it wait longer', () => {
    const stage = stageCollector();
    stage.put(of3(0, [hit(0)]));
    stage.put(of3(0, [hit(0)]), began + 30 * minute);
    stage.put(of3(0, [hit(1)]), began + 40 * minute);
    expect(stage.fire()).toBe('incomplete');
  });

  test('first: no command although a row matches, because an earlier chunk is missing', () => {
    const stage = stageCollector();
    stage.put(of3(1, [hit(2)], first));
    stage.put(of3(2, [hit(4)], first));
    expect(stage.fire()).toBe('incomplete');
    expect(stage.commands()).toEqual([]);
    expect(stage.letters()[0]).not.toHaveProperty(['x-dlq-command-id']);
  });

  test('sent again as a whole it is complete', () => {
    const stage = stageCollector();
    stage.put(of3(0, [hit(0)]));
    stage.fire();
    for (const chunk of [0, 1, 2]) stage.put(of3(chunk, [hit(chunk)]), began + 2 * chunkTimeoutMs);
    expect(stage.commands().length).toBe(1);
  });

  test('a timer of an earlier wait, or of a run that has its end, does nothing', () => {
    const stage = stageCollector();
    stage.put(of3(0, [hit(0)]));
    const [[token, due] = ['', 0]] = [...stage.timers];
    expect(stage.put({ kind: 'timer', token, due: due + 1 }, due)).toBe('stale_timer');
    expect(stage.put({ kind: 'timer', token: 'k.77', due }, due)).toBe('stale_timer');
    for (const chunk of [1, 2]) stage.put(of3(chunk, [hit(chunk)]));
    expect(stage.put({ kind: 'timer', token, due }, due)).toBe('stale_timer');
    expect(stage.state).toMatchObject({ status: 'ended' });
    expect(stage.letters()).toEqual([]);
  });
});

describe('more than a command may hold', () => {
  const wide = (n: number): Row => ({ hit: true, n, text: 'x'.repeat(1_000) });

  test.each([
    [0, 1, 2],
    [2, 1, 0],
    [1, 2, 0],
  ])('a dead letter with the counts, in the order %i %i %i; rows are not kept meanwhile', (...order) => {
    const stage = stageCollector(3_000);
    const outcomes = order.map((chunk) => stage.put(of3(chunk, [wide(chunk), miss])));
    expect(outcomes).toEqual(['collected', 'collected', 'too_large']);
    expect(stage.commands()).toEqual([]);
    const [letter] = stage.letters();
    expect(letter).toMatchObject({
      'x-dlq-reason': 'command_too_large',
      'x-dlq-command-id': wholeCommand([hit(0)], all)?.command_id,
    });
    const bytes = 3 * JSON.stringify([wide(0)]).length;
    expect(letter).toHaveProperty(
      ['x-dlq-error'],
      `run failed-logins/2026-04-28T12:00, rule hits, action log: 3 of 6 rows in 3 chunks match and have ${bytes} bytes; a command has at most 3000`,
    );
  });

  test('the rows go as soon as they are too many', () => {
    const stage = stageCollector(2_200);
    stage.put(of3(0, [wide(0)]));
    expect(stage.state).toMatchObject({ held: [{ chunk: 0 }] });
    stage.put(of3(1, [wide(1)]));
    expect(stage.state).toMatchObject({ held: null, matching: 2 });
    stage.put(of3(2, [hit(2)]));
    expect(stage.letters()).toMatchObject([{ 'x-dlq-reason': 'command_too_large' }]);
  });

  test('the limit is that of the command, to the byte', () => {
    const inputs = [0, 1, 2].map((chunk) => of3(chunk, [wide(chunk)]));
    const free = stageCollector();
    for (const input of inputs) free.put(input);
    const bytes = Buffer.byteLength(JSON.stringify(free.commands()[0]));
    const outcome = (limit: number) => {
      const stage = stageCollector(limit);
      return inputs.map((input) => stage.put(input)).at(-1);
    };
    expect([outcome(bytes), outcome(bytes - 1)]).toEqual(['triggered', 'too_large']);
  });

  test('first: one row that is too large', () => {
    const stage = stageCollector(1_200);
    stage.put(of3(1, [wide(1)], first));
    expect(stage.state).toMatchObject({ held: null });
    stage.put(of3(0, [miss], first));
    expect(stage.put(of3(2, [miss], first))).toBe('too_large');
  });

  test('the state of a thousand chunks fits into one record with all rows that a command may hold', () => {
    const stage = stageCollector(maxCollectedBytes);
    const wideRow = { hit: true, text: 'y'.repeat(89_000) };
    for (let chunk = 0; chunk < 999; chunk++) {
      const numbers = { chunk, chunks: 1_000, row_base: 999_999_000_000 + chunk };
      stage.put(inputOf([chunk < 989 ? miss : wideRow], numbers, all));
    }
    const state = stage.state as Collecting;
    expect([state.seen.length, state.held?.length]).toEqual([999, 10]);
    const bytes = JSON.stringify(state).length;
    expect(bytes).toBeGreaterThan(920_000);
    // What a broker takes by default, 1,048,588 bytes, with room for headers and for what the changelog puts around it.
    expect(bytes).toBeLessThan(999_000);
  });
});

describe('what is no input', () => {
  const chunk = of3(0, [hit(0)]);
  const read = (value: unknown, key: string | null = 'k') =>
    readCollectionInput(
      key === null ? null : Buffer.from(key),
      value === null ? null : Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)),
    );
  test('a chunk and a timer are', () => {
    expect(read(chunk)).toEqual({ key: 'k', input: chunk });
    const timer = { kind: 'timer', token: 't', due: 1, fired_at: 2 };
    expect(read(timer)).toEqual({ key: 'k', input: timer });
  });
  test.each<[string, unknown, string | null, string]>([
    ['no key', chunk, null, 'no_key'],
    ['a long key', chunk, 'k'.repeat(257), 'no_key'],
    ['nothing', null, 'k', 'not_json'],
    ['bytes', '\u0000', 'k', 'not_json'],
    ['5 MB', { kind: 'timer', token: 'x'.repeat(5_000_000), due: 1 }, 'k', 'not_json'],
    ['another kind', { ...chunk, kind: 'part' }, 'k', 'invalid_input'],
    [
      'mode each',
      { ...chunk, template: { ...(chunk as { template: object }).template, mode: 'each' } },
      'k',
      'invalid_input',
    ],
    ['too many chunks', { ...chunk, chunks: 1_001 }, 'k', 'invalid_input'],
    ['an unknown member', { ...chunk, more: 1 }, 'k', 'invalid_input'],
  ])('%s is none', (_what, value, key, refuse) => {
    const result = read(value, key);
    expect('refuse' in result ? result.refuse : result).toBe(refuse);
  });
});
