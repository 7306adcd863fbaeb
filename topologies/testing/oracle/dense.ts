// Rules and events that meet in one field: far more hits for each operator than whole documents have.
import type { Rule } from '@tocsin/schemas/types.ts';
import fc from 'fast-check';
import { operators, textKind } from './operators.ts';
import { addresses, dates, ids, numbers, severityWords, texts } from './vocabulary.ts';

const scalar = fc.oneof(
  { weight: 4, arbitrary: fc.constantFrom<unknown>(...texts) },
  { weight: 3, arbitrary: fc.constantFrom<unknown>(...addresses) },
  { weight: 4, arbitrary: fc.constantFrom<unknown>(...dates) },
  { weight: 2, arbitrary: fc.constantFrom<unknown>(...numbers, ...severityWords, ...ids) },
  { weight: 1, arbitrary: fc.constantFrom<unknown>(null, true, false, {}, []) },
);
const value = fc.oneof(
  { weight: 2, arbitrary: scalar },
  { weight: 1, arbitrary: fc.array(scalar, { maxLength: 6 }) },
);
const members = fc.record({ a: value, b: value }, { requiredKeys: ['a'] });

/** Events with data.a, data.b and data.items, a list of objects with a and b. */
export const denseEventArbitrary: fc.Arbitrary<Record<string, unknown>> = fc
  .tuple(
    members,
    fc.array(fc.oneof({ weight: 5, arbitrary: members }, { weight: 1, arbitrary: value }), { maxLength: 3 }),
  )
  .map(([own, items]) => ({ event: 'finding.new', data: { ...own, items } }));

const onElement = operators(textKind, ['a', 'b']);

/** One condition on data.a, or `each` over data.items with one or two. */
export const denseRuleArbitrary: fc.Arbitrary<Rule> = fc
  .oneof(
    {
      weight: 4,
      arbitrary: operators(textKind, ['data.a', 'data.b', 'data.items.a', 'data.*']).map((a) => ({
        'data.a': a,
      })),
    },
    {
      weight: 1,
      arbitrary: fc
        .record(
          { a: onElement, b: onElement, quantifier: fc.constantFrom('any', 'all') },
          { requiredKeys: ['a'] },
        )
        .map(({ quantifier, ...match }) => ({
          each: { path: 'data.items', match, ...(quantifier === undefined ? {} : { quantifier }) },
        })),
    },
  )
  .map((when) => ({ kind: 'rule', id: 'r', when, then: [{ action: 'a' }] }));
