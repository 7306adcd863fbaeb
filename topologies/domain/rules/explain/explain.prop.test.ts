// The root of an explanation says what the reference evaluator says, and every verdict follows from those below it.
import type { Rule } from '@tocsin/schemas/types.ts';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  contextArbitrary,
  eventArbitrary,
  eventRuleArbitrary,
  rowArbitrary,
  rowRuleArbitrary,
} from '../../../testing/oracle/arbitraries.ts';
import { denseEventArbitrary, denseRuleArbitrary } from '../../../testing/oracle/dense.ts';
import { buildNamedLists } from '../named-list.ts';
import { parseRule } from '../parse-rule.ts';
import type { Subject } from '../path.ts';
import { referenceMatches } from '../reference/match-rule.ts';
import { type Explanation, explainRule } from './explain.ts';
import { type Outline, operatorsOf, outlineRule } from './outline.ts';

// TOCSIN_PROPERTY_RUNS is the number of explanations in all, 2,000 without it.
const explanations = Number(process.env['TOCSIN_PROPERTY_RUNS'] ?? 2_000);
/** Rules and subjects of one case: every rule meets every subject, because making them is what takes time. */
const perCase = 4;
const numRuns = Math.ceil(explanations / 3 / perCase ** 2);
const limit = { timeout: 30_000 + explanations * 10 };

function several<T>(one: fc.Arbitrary<T>): fc.Arbitrary<T[]> {
  return fc.array(one, { minLength: perCase, maxLength: perCase });
}

function checkAll(rules: fc.Arbitrary<Rule>, subjects: fc.Arbitrary<Subject>): void {
  let checked = 0;
  const property = fc.property(
    several(rules),
    several(subjects),
    contextArbitrary,
    (documents, asked, context) => {
      const { lists } = buildNamedLists(context.lists);
      for (const document of documents) {
        const { rule } = parseRule(document);
        if (rule === null) continue;
        complete(outlineRule(rule));
        for (const subject of asked) {
          const { fields, search } = subject;
          const explanation = explainRule(rule, subject, { now: context.now, lists });
          const input = { fields, ...(search ? { search } : {}) };
          expect(explanation.holds).toBe(referenceMatches(document, input, context));
          follows(explanation);
          places(document, explanation);
          checked += 1;
        }
      }
    },
  );
  fc.assert(property, { numRuns });
  expect(checked).toBeGreaterThan((numRuns * perCase ** 2) / 3);
}

/** all, any, not: the verdict is that of the parts. */
function follows({ kind, what, holds, parts }: Explanation): void {
  if (parts.length === 0) return;
  const every = parts.every((part) => part.holds);
  const some = parts.some((part) => part.holds);
  if (kind === 'all') expect(holds).toBe(every);
  if (kind === 'any') expect(holds).toBe(some);
  if (kind === 'not') expect(holds).toBe(what === 'exclude' ? !some : !every);
  for (const part of parts) follows(part);
}

/** No part of the document is missing: a block has the parts it is written with, a field its operators. */
function complete({ parts, condition, value, path }: Outline): void {
  const written = typeof value === 'object' && value !== null ? Object.keys(value).length : 0;
  if (condition.kind === 'field') {
    if (Array.isArray(value)) expect(operatorsOf(path, value, condition.tests)).toHaveLength(1);
    else expect(operatorsOf(path, value, condition.tests)).toHaveLength(written || 1);
  } else if (condition.kind !== 'each' && written > 0) expect(parts).toHaveLength(written);
  for (const part of parts) complete(part);
}

/** Every path leads somewhere in the document (RFC 6901). */
function places(document: Rule, { path, parts }: Explanation): void {
  let node: unknown = document;
  for (const token of path.split('/').slice(1)) {
    const key = token.replaceAll('~1', '/').replaceAll('~0', '~');
    expect(node !== null && typeof node === 'object' && Object.hasOwn(node, key), path).toBe(true);
    node = (node as Record<string, unknown>)[key];
  }
  for (const part of parts) places(document, part);
}

const event = (fields: Record<string, unknown>): Subject => ({ source: 'events', fields, search: null });

test('events', limit, () => checkAll(eventRuleArbitrary, eventArbitrary.map(event)));

test('one field, and the elements of one list', limit, () =>
  checkAll(denseRuleArbitrary, denseEventArbitrary.map(event)),
);

test('rows', limit, () =>
  checkAll(
    rowRuleArbitrary,
    fc
      .tuple(rowArbitrary, rowArbitrary)
      .map(([fields, search]) => ({ source: 'search-results', fields, search })),
  ),
);
