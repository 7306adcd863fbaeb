// Events and waits under one key: in any order, twice, never, too many; times and bounds.
import type { CorrelationEvent, CorrelationInput, CorrelationWait } from '@tocsin/schemas/types.ts';
import { describe, expect, test } from 'vitest';
import { type CorrelatorStep, correlate, faultCorrelation } from './correlate.ts';
import { readCorrelationInput } from './correlation-fold.ts';
import { type CorrelatorState, correlatorLimits } from './state.ts';

const at = Date.parse('2026-04-28T12:00:00Z');
const hour = 3_600_000;

function key() {
  let state: CorrelatorState | null = null;
  let now = at;
  let offset = 0;
  const send = (input: CorrelationInput, afterMs = 0): CorrelatorStep => {
    now += afterMs;
    const step = correlate(state, input, { now, partition: 0, offset: offset++, key: 'k' }, 'runs.v1');
    state = step.state;
    return step;
  };
  return {
    send,
    get state() {
      return state;
    },
  };
}

const event = (id: string, type = 'scan.completed', data = {}): CorrelationEvent => ({
  kind: 'event',
  id,
  event: { event: type, data },
});
/** `place` as `step` or `step.epoch`; `run` as `key.number`. */
const wait = (run = 'r.1', place = 'scan', more: Partial<CorrelationWait> = {}): CorrelationWait => {
  const [step, epoch = '2'] = place.split('.');
  const token = `${run}/${step}#0.${epoch}`;
  const until = at + 6 * hour;
  return {
    kind: 'wait',
    run: run.split('.')[0] ?? '',
    token,
    correlation: 'c',
    events: ['scan.completed'],
    until,
    ...more,
  };
};
const done = ({ run, token }: CorrelationWait): CorrelationInput => ({ kind: 'done', run, token });
/** `run id` of what was given. */
const given = ({ effects }: CorrelatorStep): string[] =>
  effects.map((effect) => {
    if (effect.kind !== 'produce') throw new Error(effect.kind);
    const { topic, key: run, value } = effect.record;
    const input = JSON.parse(String(value));
    return `${topic} ${run} ${input.kind} ${input.correlation} ${input.event.id}`;
  });
const what = ({ changes }: CorrelatorStep): string[] => changes.map((change) => change.what);

describe('an event and its waits', () => {
  test('a wait gets what comes later, as it was, with the id of its source', () => {
    const meeting = key();
    expect(given(meeting.send(wait()))).toEqual([]);
    const step = meeting.send(event('e1', 'scan.completed', { open: 3 }));
    expect(step.effects).toEqual([
      {
        kind: 'produce',
        record: {
          topic: 'runs.v1',
          key: 'r',
          value: JSON.stringify({
            kind: 'event',
            correlation: 'c',
            event: { id: 'e1', event: 'scan.completed', data: { open: 3 } },
          }),
        },
      },
    ]);
  });

  test('a wait gets what came before, for a day', () => {
    const meeting = key();
    meeting.send(event('e1'));
    meeting.send(event('e2'), hour);
    const late = meeting.send(wait('r.1', 'scan', { until: at + 50 * hour }), 23 * hour);
    expect(given(late)).toEqual(['runs.v1 r event c e2']);
    expect(given(meeting.send(wait('s.1', 'scan', { until: at + 50 * hour }), hour))).toEqual([]);
  });

  test('the same event twice, before and after: once to each run', () => {
    const meeting = key();
    meeting.send(event('e1'));
    expect(what(meeting.send(event('e1')))).toEqual(['ignored']);
    expect(given(meeting.send(wait('r.1')))).toHaveLength(1);
    expect(given(meeting.send(wait('r.1')))).toEqual([]);
    expect(given(meeting.send(event('e1')))).toEqual([]);
    expect(given(meeting.send(wait('s.1')))).toHaveLength(1);
  });

  test('two steps of one run get it together once; another number of the run is another run', () => {
    const meeting = key();
    for (const place of ['a', 'b']) meeting.send(wait('r.1', place));
    expect(given(meeting.send(event('e1')))).toEqual(['runs.v1 r event c e1']);
    expect(given(meeting.send(wait('r.1', 'c')))).toEqual([]);
    expect(given(meeting.send(wait('r.2', 'a')))).toEqual(['runs.v1 r event c e1']);
  });

  test('only types that are waited for', () => {
    const meeting = key();
    meeting.send(wait('r.1', 'scan', { events: ['scan.completed', 'scan.failed'] }));
    meeting.send(wait('s.1'));
    expect(given(meeting.send(event('e1', 'scan.failed')))).toEqual(['runs.v1 r event c e1']);
    expect(given(meeting.send(event('e2', 'scan.started')))).toEqual([]);
  });
});

describe('the end of a wait', () => {
  test('done: later events go to nobody, other waits stay', () => {
    const meeting = key();
    meeting.send(wait('r.1'));
    meeting.send(wait('s.1'));
    expect(what(meeting.send(done(wait('r.1'))))).toEqual(['done']);
    expect(given(meeting.send(event('e1')))).toEqual(['runs.v1 s event c e1']);
    expect(what(meeting.send(done(wait('r.1'))))).toEqual(['ignored']);
  });

  test('its time, to the millisecond', () => {
    const meeting = key();
    meeting.send(wait('r.1', 'scan', { until: at + 1_000 }));
    meeting.send(wait('s.1', 'scan', { until: at + 1_001 }));
    expect(given(meeting.send(event('e1'), 1_001))).toEqual(['runs.v1 s event c e1']);
    expect(what(meeting.send(wait('t.1', 'scan', { until: at })))).toEqual(['ignored']);
  });

  test('a later wait of the step replaces it, an earlier one does not come back, the same one moves', () => {
    const meeting = key();
    meeting.send(wait('r.1', 'scan.2'));
    meeting.send(wait('r.1', 'scan.4'));
    expect(what(meeting.send(wait('r.1', 'scan.2')))).toEqual(['ignored']);
    expect(meeting.state?.waits.map(({ token }) => token)).toEqual(['r.1/scan#0.4']);
    meeting.send(wait('r.1', 'scan.4', { until: at + 90 * hour }));
    expect(meeting.state?.waits).toMatchObject([{ until: at + 90 * hour }]);
  });

  test('a key without waits and events has no state; what is left is kept until the last of them is over', () => {
    const meeting = key();
    meeting.send(wait());
    expect(meeting.send(done(wait()))).toMatchObject({ state: null, keepUntil: null });
    expect(meeting.send(event('e1'))).toMatchObject({ keepUntil: at + 24 * hour });
    expect(meeting.send(wait('r.1', 'scan', { until: at + 60 * hour }))).toMatchObject({
      keepUntil: at + 60 * hour,
    });
    expect(meeting.send({ kind: 'timer', token: 'x' }, 61 * hour)).toMatchObject({ state: null });
  });
});

describe('bounds', () => {
  test('the oldest events go first, and it is told', () => {
    const meeting = key();
    for (let n = 0; n < correlatorLimits.events; n++) meeting.send(event(`e${n}`));
    const step = meeting.send(event('last'));
    expect(step.changes.at(-1)).toMatchObject({ what: 'note', id: 'e0' });
    expect(meeting.state?.events).toHaveLength(correlatorLimits.events);
    expect(given(meeting.send(wait())).at(-1)).toBe('runs.v1 r event c last');
  });

  test('large ones make room by bytes; one larger than all room reaches those who wait and is not kept', () => {
    const meeting = key();
    meeting.send(wait('r.1', 'scan'));
    const text = 'x'.repeat(40_000);
    for (let n = 0; n < 5; n++) meeting.send(event(`e${n}`, 'scan.completed', { text }));
    expect(meeting.state?.events.map(({ id }) => id)).toEqual(['e2', 'e3', 'e4']);
    const huge = meeting.send(event('huge', 'scan.completed', { text: text.repeat(4) }));
    expect(given(huge)).toEqual(['runs.v1 r event c huge']);
    expect(what(huge)).toContain('note');
    expect(meeting.state?.events.map(({ id }) => id)).toEqual(['e2', 'e3', 'e4']);
  });

  test('a wait too many gets what was kept and nothing later', () => {
    const meeting = key();
    meeting.send(event('e1'));
    for (let n = 0; n < correlatorLimits.waits; n++) meeting.send(wait(`r${n}.1`));
    const last = meeting.send(wait('last.1'));
    expect(given(last)).toEqual(['runs.v1 last event c e1']);
    expect(what(last)).toEqual(['note', 'given']);
    expect(given(meeting.send(event('e2')))).toHaveLength(correlatorLimits.waits);
  });
});

test('a fault changes nothing and keeps the state as long as before', () => {
  const meeting = key();
  const { state, keepUntil } = meeting.send(wait());
  expect(faultCorrelation(state, wait(), 'boom')).toMatchObject({
    state,
    keepUntil,
    effects: [],
    changes: [{ what: 'note', error: 'boom' }],
  });
});

test.each<[string, unknown, string | null, string]>([
  ['no key', wait(), null, 'no_key'],
  ['a text', '"wait"', 'k', 'not_json'],
  ['cut off', '{"kind":"wait"', 'k', 'not_json'],
  ['no types', { ...wait(), events: [] }, 'k', 'invalid_input'],
  ['an event without its type', { kind: 'event', id: 'e', event: {} }, 'k', 'invalid_input'],
  ['an unknown member', { ...wait(), more: 1 }, 'k', 'invalid_input'],
  ['5 MB', event('e', 'x', { text: 'x'.repeat(5_000_000) }), 'k', 'not_json'],
])('%s is no input', (_what, value, recordKey, refuse) => {
  const text = typeof value === 'string' ? value : JSON.stringify(value);
  const read = readCorrelationInput(recordKey === null ? null : Buffer.from(recordKey), Buffer.from(text));
  expect('refuse' in read ? read.refuse : read).toBe(refuse);
});

test('what a run writes and what an event router writes are inputs', () => {
  for (const input of [wait(), done(wait()), event('e1')])
    expect(readCorrelationInput(Buffer.from('k'), Buffer.from(JSON.stringify(input)))).toEqual({
      key: 'k',
      input,
    });
});
