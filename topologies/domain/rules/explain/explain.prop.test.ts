// The root of an explanation says what the reference evaluator says, and every verdict follows from those below it.
import type { Rule } from '@tocsin/schemas/types.ts';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  eventArbitrary,
  eventRuleArbitrary,
  rowArbitrary,
  rowRuleArbitrary,
} from '../../../testing/oracle/arbitraries.ts';
import { oracleMatches } from '../../../testing/oracle/match-rule.ts';
import { context } from '../../../testing/rules.ts';
import { parseRule } from '../parse-rule.ts';
import type { Subject } from '../path.ts';
import { type Explanation, explainRule } from './explain.ts';
import { explainLimits } from './found.ts';
import { type Outline, operatorsOf, outlineRule } from './outline.ts';

const cases = 1_000;

function check(document: Rule, subject: Subject): boolean {
  const { rule } = parseRule(document);
  if (rule === null) return false;
  const { fields, search } = subject;
  const explanation = explainRule(rule, subject, context);
  expect(explanation.holds).toBe(oracleMatches(document, { fields, ...(search ? { search } : {}) }));
  follows(explanation);
  complete(outlineRule(rule));
  places(document, explanation);
  return true;
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

test('events', () => {
  let checked = 0;
  fc.assert(
    fc.property(eventRuleArbitrary, eventArbitrary, (document, fields) => {
      if (check(document, { source: 'events', fields, search: null })) checked += 1;
    }),
    { numRuns: cases },
  );
  expect(checked).toBeGreaterThan(cases / 2);
});

test('rows', () => {
  let checked = 0;
  fc.assert(
    fc.property(rowRuleArbitrary, rowArbitrary, rowArbitrary, (document, fields, search) => {
      if (check(document, { source: 'search-results', fields, search })) checked += 1;
    }),
    { numRuns: cases },
  );
  expect(checked).toBeGreaterThan(cases / 2);
  expect(explainLimits.nodes).toBeGreaterThan(500);
});
