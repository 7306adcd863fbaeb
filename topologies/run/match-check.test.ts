// The permanent check of the matcher: who is asked, and what a difference does.
import type { Rule } from '@tocsin/schemas/types.ts';
import { expect, test } from 'vitest';
import { parseRule, type RuleRevision } from '../domain/rules/parse-rule.ts';
import { fakeLogger } from '../ports/fakes/logger.ts';
import { fakeMetrics } from '../ports/fakes/metrics.ts';
import { createMatchCheck, type Reference } from './match-check.ts';

const context = { now: 0, lists: new Map() };
const event = { event: 'finding.new' };

function ruleSet(count: number): Map<string, RuleRevision> {
  return new Map(
    Array.from({ length: count }, (_, k) => {
      const document = { kind: 'rule', id: `r${k}`, match_all: true, then: [{ action: 'a' }] };
      return [`r${k}`, { ...parseRule(document).rule!, revision: 1 }];
    }),
  );
}

function start(rules: Map<string, RuleRevision>, reference: Reference, every = 1) {
  const metrics = fakeMetrics();
  const logger = fakeLogger();
  const check = createMatchCheck({
    reference,
    rules: () => rules,
    lists: () => new Map(),
    every,
    metrics,
    logger,
  });
  return { check, metrics, logger };
}

test('one event of so many is due', () => {
  const { check } = start(ruleSet(1), () => true, 3);
  expect(Array.from({ length: 7 }, () => check.due())).toEqual([
    false,
    false,
    true,
    false,
    false,
    true,
    false,
  ]);
});

test('every rule gets its turn, and what matched is asked at once', () => {
  const asked: string[] = [];
  const rules = ruleSet(40);
  const matching = (rule: Rule): boolean => {
    asked.push(rule.id);
    return rule.id === 'r39';
  };
  const { check, metrics } = start(rules, matching);
  check.check(event, [rules.get('r39')!], context, 'findings.v1/0/0');
  expect(asked[0]).toBe('r39');
  expect(asked.length).toBe(17);
  for (let k = 0; k < 2; k++) check.check(event, [rules.get('r39')!], context, 'findings.v1/0/1');
  expect(new Set(asked).size).toBe(40);
  expect(metrics.total('tocsin_matcher_differences_total')).toBe(0);
  expect(metrics.total('tocsin_matcher_checks_total')).toBe(asked.length);
});

test('a difference either way is counted by rule and said with the place', () => {
  const rules = ruleSet(2);
  const { check, metrics, logger } = start(rules, (rule) => rule.id === 'r1');
  check.check(event, [rules.get('r0')!], context, 'findings.v1/3/27');
  expect(metrics.total('tocsin_matcher_differences_total', { rule: 'r0' })).toBe(1);
  expect(metrics.total('tocsin_matcher_differences_total', { rule: 'r1' })).toBe(1);
  expect(
    logger.entries.map(({ fields }) => [fields?.['rule'], fields?.['matcher'], fields?.['place']]),
  ).toEqual([
    ['r0', true, 'findings.v1/3/27'],
    ['r1', false, 'findings.v1/3/27'],
  ]);
});

test('without rules there is nothing to ask', () => {
  const { check, metrics } = start(new Map(), () => true);
  check.check(event, [], context, 'findings.v1/0/0');
  expect(metrics.total('tocsin_matcher_checks_total')).toBe(0);
});
