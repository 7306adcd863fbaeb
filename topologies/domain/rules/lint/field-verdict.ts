// What can be said about two conditions on the same field, or about one alone, without any event.
//
// Invariant (soundness): as in verdict.ts: only what is true for every event is claimed.
// The surprise: two conditions with the same path may look at two elements of a list; `event` is always a single text.
import type { Condition, FieldCondition } from '../condition.ts';
import { compileTests, type Test } from '../operators/operators.ts';
import type { RuleSource } from '../path.ts';
import {
  answer,
  type Candidate,
  candidatesOf,
  type ElementTest,
  isElementTest,
  testImplies,
} from './elements.ts';

interface FieldScope {
  readonly source: RuleSource;
}

export function fieldNever(field: FieldCondition, scope: FieldScope): boolean {
  const { tests } = field;
  const present = fieldPossible(tests);
  if (isEvent(field, scope)) return !present || tests.some((test) => test.op === 'exists' && !test.there);
  return !present && !compileTests(tests).holdsAbsent;
}

/** Can a field that is there pass? */
function fieldPossible(tests: readonly Test[]): boolean {
  if (tests.some((test) => test.op === 'exists' && !test.there)) return false;
  const elementTests = tests.filter(isElementTest);
  if (elementTests.length === 0) return true;
  const candidates = candidatesOf(elementTests);
  if (candidates?.length === 0) return false;
  // Some element passes the tests. What `none` or `not` refuses whenever an element passes them is refused.
  return !tests.some((test) =>
    refusedBy(test).some((group) => groupFollows(elementTests, candidates, group)),
  );
}

/** Every element that passes the tests passes the group: each candidate does, or each test of it is implied. */
function groupFollows(
  given: readonly ElementTest[],
  candidates: readonly Candidate[] | null,
  group: readonly ElementTest[],
): boolean {
  const accepted = candidates?.every((one) => group.every((asked) => answer(asked, one) === true)) ?? false;
  return accepted || group.every((asked) => given.some((test) => testImplies(test, asked)));
}

/** Groups of tests on one element, of which one that some element passes makes the test fail. */
function refusedBy(test: Test): ElementTest[][] {
  if (test.op === 'none')
    return [[{ op: 'in', comparison: test.comparison, values: test.values, orNull: false }]];
  return test.op === 'not' ? elementGroups(test.tests) : [];
}

function elementGroups(tests: readonly Test[]): ElementTest[][] {
  const onElement = tests.filter(isElementTest);
  return onElement.length === tests.length && onElement.length > 0 ? [onElement] : [];
}

export function fieldImplies(fact: FieldCondition, goal: FieldCondition): boolean {
  if (!samePlace(fact, goal)) return false;
  if (holdsAbsent(fact) && !holdsAbsent(goal)) return false;
  if (fact.tests.some((test) => test.op === 'exists' && !test.there)) return holdsAbsent(goal);
  const given = fact.tests.filter(isElementTest);
  const candidates = given.length === 0 ? null : candidatesOf(given);
  const asked = goal.tests.filter(isElementTest);
  const accepted = asked.length === 0 || groupFollows(given, candidates, asked);
  if (!accepted) return false;
  return goal.tests
    .filter((test) => !isElementTest(test))
    .every((test) =>
      test.op === 'exists' ? test.there : fact.tests.some((one) => fieldTestImplies(one, test)),
    );
}

function fieldTestImplies(given: Test, asked: Test): boolean {
  if (JSON.stringify(given) === JSON.stringify(asked)) return true;
  if (
    (given.op !== 'none' && given.op !== 'all') ||
    given.op !== asked.op ||
    given.comparison !== asked.comparison
  )
    return false;
  return asked.values.every((value) => given.values.includes(value));
}

export function fieldRefutes(fact: FieldCondition, goal: FieldCondition, scope: FieldScope): boolean {
  if (!samePlace(fact, goal)) return false;
  const absent = (field: FieldCondition) => field.tests.some((test) => test.op === 'exists' && !test.there);
  if (absent(fact)) return !holdsAbsent(goal);
  if (absent(goal)) return !holdsAbsent(fact);
  // Two fields with the same path may look at two elements of a list; `event` has one.
  return isEvent(fact, scope) && !fieldPossible([...fact.tests, ...goal.tests]);
}

export function isPresence(condition: Condition): condition is FieldCondition {
  return condition.kind === 'field' && condition.tests.every((test) => test.op === 'exists' && test.there);
}

export function holdsAbsent({ tests }: FieldCondition): boolean {
  return compileTests(tests).holdsAbsent;
}

export function samePlace(a: FieldCondition, b: FieldCondition): boolean {
  return JSON.stringify(a.paths) === JSON.stringify(b.paths);
}

export function isEvent({ paths }: FieldCondition, { source }: FieldScope): boolean {
  if (source !== 'events') return false;
  return paths.length === 1 && paths[0]?.root === 'fields' && paths[0].segments.join('.') === 'event';
}
