// Events that runs may wait for: whose, under which keys, and what becomes of those that are too large.
import { checkDocument } from '@tocsin/schemas/codecs/validate.ts';
import type { Playbook, PlaybookStep, PlaybookVersion } from '@tocsin/schemas/types.ts';
import { describe, expect, test } from 'vitest';
import { correlationKey } from '../playbooks/tokens.ts';
import { decide, maxHops } from './decide.ts';
import { eventInput, playbook, rule, tables } from './fixtures.ts';
import { followConfig, type LiveTables } from './tables.ts';

const wait = (id: string, event: string | string[], at?: string): PlaybookStep => ({
  id,
  waitFor: { event: event as string, correlate: 'x', ...(at === undefined ? {} : { at }) },
});
const versionOf = (steps: PlaybookStep[], more: Partial<Playbook> = {}): PlaybookVersion => ({
  v: 1,
  revision: 1,
  document: playbook('old', { steps: steps as Playbook['steps'], ...more }),
  actions: {},
  playbooks: {},
});

function knowing(...steps: PlaybookStep[]): LiveTables {
  const live = followConfig({ rules: new Map(), actions: new Map() }, new Map());
  live.learn([versionOf(steps)]);
  return live;
}
const scan = (data: Record<string, unknown>, more = {}) => ({
  id: 's1',
  event: 'scan.completed',
  data,
  ...more,
});
const correlated = (event: object, live: LiveTables, more = {}) =>
  decide(eventInput(event, more), live.tables);

test('an event whose type some version waits for is handed on under the value where the wait looks', () => {
  const event = scan({ correlation_id: 'c-1', scan_id: 7 }, { tenant: 't', hops: 1 });
  const decision = correlated(event, knowing(wait('w', ['scan.failed', 'scan.completed'])));
  expect(decision).toMatchObject({
    commands: [],
    starts: [],
    matched: [],
    refused: [],
    notes: [],
    wanted: true,
  });
  expect(decision.correlations).toEqual([
    { key: correlationKey('t', 'data.correlation_id', 'c-1'), input: { kind: 'event', id: 's1', event } },
  ]);
  expect(checkDocument('correlation-input.json', decision.correlations[0]?.input)).toEqual([]);
});

test('once for each place, however many waits look there', () => {
  const live = knowing(wait('a', 'scan.completed'), wait('b', 'scan.completed', 'data.scan_id'), {
    id: 'c',
    if: { vars: 1 },
    then: [wait('d', 'scan.completed', 'data.scan_id')],
  });
  live.learn([versionOf([wait('a', 'scan.completed', 'id')])]);
  const { correlations } = correlated(scan({ correlation_id: 'c', scan_id: 7 }), live);
  expect(correlations.map(({ key }) => key)).toEqual([
    correlationKey('', 'data.correlation_id', 'c'),
    correlationKey('', 'data.scan_id', '7'),
    correlationKey('', 'id', 's1'),
  ]);
});

test.each<[string, object]>([
  ['another type', { ...scan({ correlation_id: 'c' }), event: 'scan.started' }],
  ['the same type in other letters', { ...scan({ correlation_id: 'c' }), event: 'Scan.Completed' }],
  ['nothing at the place', scan({ other: 'c' })],
  ['null', scan({ correlation_id: null })],
  ['a list', scan({ correlation_id: ['c'] })],
  ['an empty text', scan({ correlation_id: '' })],
  ['true', scan({ correlation_id: true })],
  ['no data', { event: 'scan.completed' }],
  ['a test event', scan({ correlation_id: 'c' }, { test: true })],
])('is not handed on: %s', (_, event) => {
  const decision = correlated(event, knowing(wait('w', 'scan.completed')));
  expect([decision.correlations, decision.refused]).toEqual([[], []]);
});

test('events without id are named by their place in the log; those of the engine count, hops do not matter', () => {
  const { id: _, ...event } = scan({ correlation_id: 'c' }, { hops: maxHops + 3 });
  const decision = correlated(event, knowing(wait('w', 'scan.completed')), {
    input: 'events',
    topic: 'events.v1',
  });
  expect(decision.correlations.map(({ input }) => input.id)).toEqual(['events.v1/3/27']);
  expect(decision.refused).toEqual([]);
});

test('a version of before is not forgotten when the playbook changes or goes, and a head counts before its version', () => {
  const playbooks = new Map([
    ['p', { document: playbook('p', { steps: [wait('w', 'scan.completed')] }), revision: 1 }],
  ]);
  const live = followConfig({ rules: new Map(), actions: new Map(), playbooks }, new Map());
  const keys = () => correlated(scan({ correlation_id: 'c' }), live).correlations.length;
  expect(keys()).toBe(1);
  playbooks.set('p', { document: playbook('p'), revision: 2 });
  live.apply([{ kind: 'playbook', id: 'p' }]);
  expect(keys()).toBe(1);
  playbooks.delete('p');
  live.apply([{ kind: 'playbook', id: 'p' }]);
  expect(keys()).toBe(1);
});

test('rules and waits see the same event', () => {
  const live = tables([rule('r', [{ action: 'log' }], { when: { events: 'scan.*' } })], undefined, {}, [
    playbook('p', { steps: [wait('w', 'scan.completed')] }),
  ]);
  const decision = decide(eventInput(scan({ correlation_id: 'c' })), live);
  expect([decision.commands.length, decision.correlations.length]).toEqual([1, 1]);
  expect(decision.matched).toEqual([{ rule: 'r', revision: 3, rows: 1 }]);
});

describe('a large event', () => {
  const live = knowing(wait('w', 'scan.completed', 'data.deep.id'), wait('v', 'scan.completed', 'data.n'));
  const list = Array.from({ length: 10_000 }, (_, n) => `finding-${n}`);

  test('goes without its lists and objects, and is noted; its key is that of the whole', () => {
    const event = scan(
      { deep: { id: 'c' }, list, n: 1, ok: true, text: 'ü' },
      { tenant: 't', timestamp: '2026-04-28T12:00:00Z', vendor: 1 },
    );
    const decision = correlated(event, live);
    expect(decision.correlations).toEqual(
      [
        ['data.deep.id', 'c'],
        ['data.n', '1'],
      ].map(([at, value]) => ({
        key: correlationKey('t', at as string, value as string),
        input: {
          kind: 'event',
          id: 's1',
          event: {
            id: 's1',
            event: 'scan.completed',
            timestamp: '2026-04-28T12:00:00Z',
            tenant: 't',
            data: { n: 1, ok: true, text: 'ü' },
          },
        },
      })),
    );
    expect(decision.notes).toEqual([{ reason: 'awaited_event_reduced' }]);
  });

  test.each([
    [64 * 1024, true],
    [64 * 1024 + 1, false],
  ])('at %i bytes is whole: %j', (bytes, whole) => {
    const base = scan({ n: 1, list: [''] });
    const pad = 'x'.repeat(bytes - Buffer.byteLength(JSON.stringify(base)));
    const event = scan({ n: 1, list: [pad] });
    expect(Buffer.byteLength(JSON.stringify(event))).toBe(bytes);
    expect(correlated(event, live).notes.length).toBe(whole ? 0 : 1);
  });

  test('that stays too large is refused, not dropped in silence', () => {
    const decision = correlated(scan({ n: 1, text: 'x'.repeat(70_000) }), live);
    expect(decision.correlations).toEqual([]);
    expect(decision.refused).toMatchObject([{ reason: 'awaited_event_too_large', deadLetter: true }]);
  });

  test('that no run can be waiting for is left alone', () => {
    const decision = correlated(scan({ text: 'x'.repeat(70_000) }), live);
    expect([decision.refused, decision.notes]).toEqual([[], []]);
  });
});
