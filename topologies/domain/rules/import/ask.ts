// For tests: whether an imported rule holds for an event, by both evaluators.
//
// Invariant: the two must agree, so no test of an import can pass on a mistake of one of them.
import type { Rule } from '@tocsin/schemas/types.ts';
import { compileCondition } from '../compile.ts';
import { parseRule } from '../parse-rule.ts';
import { referenceMatches } from '../reference/match-rule.ts';
import type { Imported } from './imported.ts';

/** 2026-01-15T12:00:00Z. */
const context = { now: 1_768_478_400_000, lists: new Map() };

/** Throws with the reasons when nothing was imported. */
export function ruleOf(imported: Imported): Rule {
  if (imported.rule === null) throw new Error(JSON.stringify(imported.issues));
  return imported.rule;
}

export function holds(rule: Rule, fields: Readonly<Record<string, unknown>>): boolean {
  const { rule: checked } = parseRule(rule);
  if (checked === null) throw new Error('the rule has issues');
  const answer = compileCondition(checked.condition)({ source: 'events', fields, search: null }, context);
  if (answer !== referenceMatches(rule, { fields }, context)) throw new Error('the evaluators differ');
  return answer;
}
