// Effects that cannot be carried out are defects of the step: they harm their own key only.
import { expect, test } from 'vitest';
import { applyInputs, type FoldInput } from './apply-inputs.ts';
import type { FoldEffect } from './fold.ts';

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
  expect(applied.states.get('a')).toEqual({ state: 2, version: 2, size: 1 });
  expect(applied.changes).toHaveLength(3);
});
