// Which conditions can never hold or always hold, and which follow from others, seen without any event.
//
// Invariant (soundness): "never", "always" and "implies" are true for every event that passes the check of its envelope;
// what cannot be shown is not claimed. `event` is the one field that such an event always has, as a single text.
import type { Condition, EachCondition, FieldCondition } from '../condition.ts';
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

export type Verdict = 'never' | 'always' | 'open';

/** Steps that the reasoning over one rule may take; after that nothing more is claimed. */
export interface Budget {
  left: number;
}

export const createBudget = (): Budget => ({ left: 20_000 });

/** What is reasoned about, and how deep the reasoning is in alternatives already. */
interface Scope {
  readonly source: RuleSource;
  readonly budget: Budget;
  readonly depth: number;
}

/** Blocks with more parts than this are not compared part by part: the time is quadratic. */
const maxParts = 60;
/** Alternatives that are looked at one by one, and how deep. */
const maxBranches = 16;
const maxDepth = 4;

export function verdictOf(condition: Condition, source: RuleSource, budget: Budget): Verdict {
  const scope = { source, budget, depth: 0 };
  if (never(condition, scope)) return 'never';
  return always(condition, scope) ? 'always' : 'open';
}

/** Where `fact` holds, `goal` holds. */
export function follows(fact: Condition, goal: Condition, source: RuleSource, budget: Budget): boolean {
  return implies([fact], goal, { source, budget, depth: 0 });
}

function never(condition: Condition, scope: Scope): boolean {
  switch (condition.kind) {
    case 'any':
      return condition.of.every((part) => never(part, scope));
    case 'not':
      return always(condition.of, scope);
    case 'each':
      return never(condition.of, scope);
    case 'all':
      return condition.of.some((part) => never(part, scope)) || contradict(condition.of, scope);
    case 'field':
      return fieldNever(condition, scope);
    default:
      return condition satisfies never;
  }
}

function always(condition: Condition, scope: Scope): boolean {
  switch (condition.kind) {
    case 'all':
      return condition.of.every((part) => always(part, scope));
    case 'not':
      return never(condition.of, scope);
    case 'any':
      return condition.of.some((part) => always(part, scope)) || covers(condition.of, scope);
    case 'each':
      return false;
    case 'field':
      return isEvent(condition, scope) && condition.tests.every((test) => test.op === 'exists' && test.there);
    default:
      return condition satisfies never;
  }
}

function contradict(parts: readonly Condition[], scope: Scope): boolean {
  if (parts.length < 2 || parts.length > maxParts) return false;
  return parts.some((part, index) => refutes(parts.toSpliced(index, 1), part, scope));
}

/** Whatever the others miss, one part catches. */
function covers(parts: readonly Condition[], scope: Scope): boolean {
  if (parts.length < 2 || parts.length > maxParts) return false;
  return parts.some((part, index) =>
    implies(
      parts.toSpliced(index, 1).map((of) => ({ kind: 'not', of })),
      part,
      scope,
    ),
  );
}

function fieldNever(field: FieldCondition, scope: Scope): boolean {
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

/** Where all of `facts` hold, `goal` holds. */
function implies(facts: readonly Condition[], goal: Condition, scope: Scope): boolean {
  if (!spend(scope)) return false;
  const known = facts.flatMap(flatten);
  const wanted = keyOf(goal);
  if (known.some((fact) => keyOf(fact) === wanted || fieldFalse(fact, scope))) return true;
  if (direct(known, goal, scope)) return true;
  if (scope.depth >= maxDepth) return false;
  return splits(known, (branch) => implies(branch, goal, deeper(scope)));
}

function direct(known: readonly Condition[], goal: Condition, scope: Scope): boolean {
  switch (goal.kind) {
    case 'all':
      return goal.of.every((part) => implies(known, part, deeper(scope)));
    case 'any':
      return goal.of.some((part) => implies(known, part, deeper(scope)));
    case 'not':
      return refutes(known, goal.of, deeper(scope));
    case 'each':
      return known.some((fact) => fact.kind === 'each' && eachImplies(fact, goal, scope));
    case 'field':
      return known.some((fact) =>
        fact.kind === 'field'
          ? fieldImplies(fact, goal)
          : fact.kind === 'not' && isPresence(fact.of) && samePlace(fact.of, goal) && holdsAbsent(goal),
      );
    default:
      return goal satisfies never;
  }
}

/** Where all of `facts` hold, `goal` cannot hold. */
function refutes(facts: readonly Condition[], goal: Condition, scope: Scope): boolean {
  if (scope.depth > maxDepth || !spend(scope)) return false;
  const known = facts.flatMap(flatten);
  if (known.some((fact) => fieldFalse(fact, scope))) return true;
  switch (goal.kind) {
    case 'all':
      if (goal.of.some((part) => refutes(known, part, deeper(scope)))) return true;
      break;
    case 'any':
      if (goal.of.every((part) => refutes(known, part, deeper(scope)))) return true;
      break;
    case 'not':
      return implies(known, goal.of, deeper(scope));
    case 'field':
      if (
        fieldFalse(goal, scope) ||
        known.some((fact) => fact.kind === 'field' && fieldRefutes(fact, goal, scope))
      )
        return true;
      break;
    case 'each':
      break;
    default:
      return goal satisfies never;
  }
  if (known.some((fact) => fact.kind === 'not' && implies([goal], fact.of, deeper(scope)))) return true;
  return splits(known, (branch) => refutes(branch, goal, deeper(scope)));
}

/** Tries every alternative of one fact that is an `any`. */
function splits(known: readonly Condition[], holds: (branch: readonly Condition[]) => boolean): boolean {
  const index = known.findIndex((fact) => fact.kind === 'any' && fact.of.length <= maxBranches);
  if (index === -1) return false;
  const rest = known.toSpliced(index, 1);
  return (known[index] as { of: readonly Condition[] }).of.every((branch) => holds([...rest, branch]));
}

/** all and not(any) as their parts, not(not) as what it is. */
function flatten(condition: Condition): Condition[] {
  if (condition.kind === 'all') return condition.of.flatMap(flatten);
  if (condition.kind === 'any' && condition.of.length === 1) return condition.of.flatMap(flatten);
  if (condition.kind !== 'not') return [condition];
  const { of } = condition;
  if (of.kind === 'not') return flatten(of.of);
  if (of.kind === 'any' || (of.kind === 'all' && of.of.length === 1))
    return of.of.flatMap((part) => flatten({ kind: 'not', of: part }));
  return [condition];
}

function fieldFalse(condition: Condition, scope: Scope): boolean {
  return condition.kind === 'field' && fieldNever(condition, scope);
}

function eachImplies(fact: EachCondition, goal: EachCondition, scope: Scope): boolean {
  return (
    JSON.stringify(fact.paths) === JSON.stringify(goal.paths) &&
    (fact.quantifier === goal.quantifier || fact.quantifier === 'all') &&
    implies([fact.of], goal.of, deeper(scope))
  );
}

function fieldImplies(fact: FieldCondition, goal: FieldCondition): boolean {
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

function fieldRefutes(fact: FieldCondition, goal: FieldCondition, scope: Scope): boolean {
  if (!samePlace(fact, goal)) return false;
  const absent = (field: FieldCondition) => field.tests.some((test) => test.op === 'exists' && !test.there);
  if (absent(fact)) return !holdsAbsent(goal);
  if (absent(goal)) return !holdsAbsent(fact);
  // Two fields with the same path may look at two elements of a list; `event` has one.
  return isEvent(fact, scope) && !fieldPossible([...fact.tests, ...goal.tests]);
}

function isPresence(condition: Condition): condition is FieldCondition {
  return condition.kind === 'field' && condition.tests.every((test) => test.op === 'exists' && test.there);
}

function holdsAbsent({ tests }: FieldCondition): boolean {
  return compileTests(tests).holdsAbsent;
}

function samePlace(a: FieldCondition, b: FieldCondition): boolean {
  return JSON.stringify(a.paths) === JSON.stringify(b.paths);
}

function isEvent({ paths }: FieldCondition, { source }: Scope): boolean {
  if (source !== 'events') return false;
  return paths.length === 1 && paths[0]?.root === 'fields' && paths[0].segments.join('.') === 'event';
}

function spend({ budget }: Scope): boolean {
  budget.left -= 1;
  return budget.left >= 0;
}

function deeper({ source, budget, depth }: Scope): Scope {
  return { source, budget, depth: depth + 1 };
}

const keys = new WeakMap<Condition, string>();

function keyOf(condition: Condition): string {
  const key = keys.get(condition) ?? JSON.stringify(condition);
  keys.set(condition, key);
  return key;
}
