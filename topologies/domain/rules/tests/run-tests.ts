// The tests written inside a rule: inputs, and what the rule must say about each.
//
// Invariant: a test asks the compiled rule, as the evaluator does; the explanation only says why. A test that cannot be
// asked (an envelope that the evaluator would refuse, a row in a rule over events) fails.
// The surprise: `enabled` and `shadow` do not matter here: a rule is tested before it is switched on.
import { checkDocument, type Issue } from '@tocsin/schemas/codecs/validate.ts';
import type { Rule } from '@tocsin/schemas/types.ts';
import { compileCondition } from '../compile.ts';
import type { MatchContext } from '../context.ts';
import { explainRule } from '../explain/explain.ts';
import { decisiveReasons } from '../explain/explain-text.ts';
import { parseInstant } from '../instant.ts';
import { parseRule, type RuleRevision } from '../parse-rule.ts';
import type { Subject } from '../path.ts';

type CheckedRule = Omit<RuleRevision, 'revision'>;
type RuleTest = NonNullable<Rule['tests']>[number];

export interface TestResult {
  readonly index: number;
  /** As it is written, else `test 1` and so on. */
  readonly name: string;
  readonly ok: boolean;
  /** Empty for a test that holds. Paths are JSON Pointers into the rule. */
  readonly issues: readonly Issue[];
}

/** Every test of a checked rule, in its order. `context` says what now means where a test does not. Never throws. */
export function runRuleTests(rule: CheckedRule, context: MatchContext): TestResult[] {
  return (rule.document.tests ?? []).map((test, index) => {
    const issues = runTest(rule, test, `/tests/${index}`, context);
    return { index, name: test.name ?? `test ${index + 1}`, ok: issues.length === 0, issues };
  });
}

/** The failing tests of a rule document as issues; none for a document that cannot be used at all or has no tests. */
export function ruleTestIssues(document: unknown, context: MatchContext): Issue[] {
  const { rule } = parseRule(document);
  return rule === null ? [] : runRuleTests(rule, context).flatMap(({ issues }) => issues);
}

function runTest(rule: CheckedRule, test: RuleTest, path: string, context: MatchContext): Issue[] {
  const now = test.now === undefined ? context.now : parseInstant(test.now);
  if (now === undefined)
    return [{ path: `${path}/now`, message: 'must be a date such as 2026-04-28T12:00:00Z' }];
  const subject = subjectOf(rule.document, test, path);
  if (Array.isArray(subject)) return subject;
  const moment = { ...context, now };
  const matches = compileCondition(rule.condition)(subject, moment);
  if (matches === (test.expect === 'match')) return [];
  const reasons = decisiveReasons(explainRule(rule, subject, moment));
  const said = matches ? 'expected no match, but it matches' : 'expected a match, but it does not match';
  return [{ path, message: [said, ...reasons].join('; ') }];
}

/** What the test asks about, or why it cannot be asked. */
function subjectOf(rule: Rule, test: RuleTest, path: string): Subject | Issue[] {
  const source = rule.source ?? 'events';
  if ('event' in test) {
    if (source !== 'events') return [{ path: `${path}/event`, message: 'the rule looks at rows: write row' }];
    const issues = checkDocument('envelope.json', test.event);
    if (issues.length === 0) return { source, fields: test.event, search: null };
    return issues.map((issue) => ({ path: `${path}/event${issue.path}`, message: issue.message }));
  }
  if (source !== 'search-results')
    return [{ path: `${path}/row`, message: 'the rule looks at events: write event' }];
  return { source, fields: test.row, search: test.search ?? {} };
}
