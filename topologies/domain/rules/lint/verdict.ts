// Which conditions can never hold or always hold, and which follow from others, seen without any event.
//
// Invariant (soundness): "never", "always" and "implies" are true for every event that passes the check of its envelope;
// what cannot be shown is not claimed. `event` is the one field that such an event always has, as a single text.
import type { Condition, EachCondition } from '../condition.ts';
import type { RuleSource } from '../path.ts';
import {
  fieldImplies,
  fieldNever,
  fieldRefutes,
  holdsAbsent,
  isEvent,
  isPresence,
  samePlace,
} from './field-verdict.ts';

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
