// Effects that cannot be carried out are defects of the step: they harm their own key only.
import { expect, test } from 'vitest';
import { applyInputs, type FoldInput } from './apply-inputs.ts';
import type { Fold, FoldEffect, FoldStep } from './fold.ts';

const fold = {
  step: (state: number | null, due: number) => ({
    state: (state ?? 0) + 1,
    effects: [{ kind: 'timer', token: 't', due } satisfies FoldEffect],
  }),
  fault: (state: number | null) => ({ state, effects: [] }),
};
const inputOf = (key: string, offset: number, input: number): FoldInput<number> => ({
  input,
  moment: { now: 0, partition: 0, offset, key },
});

test.each([Number.NaN, Infinity, -Infinity])('a timer for %s is a fault, and the others go on', (due) => {
  const inputs = [inputOf('a', 0, 5), inputOf('b', 1, due), inputOf('a', 2, 6)];
  const applied = applyInputs(fold, inputs, new Map());
  expect(applied.faults.map(({ input, error }) => [input.moment.key, error])).toEqual([
    ['b', 'timer t: due must be a finite number'],
  ]);
  expect(applied.effects.map(({ key, effect }) => [key, 'due' in effect && effect.due])).toEqual([
    ['a', 5],
    ['a', 6],
  ]);
  expect(applied.states.get('a')).toEqual({ state: 2, version: 2 });
  expect(applied.changes).toHaveLength(3);
});

const huge = 'ü'.repeat(500_000);

test.each<[string, FoldStep<string>, string]>([
  [
    'a record',
    { state: 's', effects: [{ kind: 'produce', record: { topic: 'x.v1', key: 'k', value: huge } }] },
    'a record for x.v1 has 1000000 bytes, at most 999999 fit',
  ],
  ['a state', { state: huge, effects: [] }, 'the change has 1000059 bytes, at most 999999 fit'],
])('%s that the log would refuse is a fault, and the others go on', (_what, large, error) => {
  const steps: Pick<Fold<string, string>, 'step' | 'fault'> = {
    step: (_state, input) => (input === 'large' ? large : { state: input, effects: [] }),
    fault: (state) => ({ state, effects: [], changes: ['fault'] }),
  };
  const inputs = ['small', 'large', 'last'].map((input, offset) => ({
    input,
    moment: { now: 0, partition: 0, offset, key: `k${offset}` },
  }));
  const applied = applyInputs(steps, inputs, new Map(), 999_999);
  expect(applied.faults.map((fault) => [fault.input.moment.key, fault.error])).toEqual([['k1', error]]);
  expect(applied.effects).toEqual([]);
  expect(applied.writes.map(({ key, body }) => [key, body])).toEqual([
    ['k0', '"small"'],
    ['k2', '"last"'],
  ]);
  expect(JSON.parse(applied.changes[1]!.text)).toMatchObject({ key: 'k1', state: null, changes: ['fault'] });
});
