// Checked rules become one matcher. Everything else sees the interface RuleSet alone, so that another matcher can
// replace this one, which asks every rule in turn.
import type { Condition, EachCondition } from './condition.ts';
import type { MatchContext } from './context.ts';
import { compileTests } from './operators/operators.ts';
import type { RuleRevision } from './parse-rule.ts';
import { elementsAt, type Subject } from './path.ts';

export interface RuleSet {
  readonly size: number;
  /** The rules that hold for the subject: higher priority first, then by id (UTF-16 code unit order). Never throws. */
  match(subject: Subject, context: MatchContext): RuleRevision[];
  /** Rules of this set, gathered over several subjects, in the same order. */
  inOrder(rules: readonly RuleRevision[]): RuleRevision[];
}

type Holds = (subject: Subject, context: MatchContext) => boolean;

/** The matcher for rules that passed parseRule. Ids must be unique. */
export function compileRules(rules: readonly RuleRevision[]): RuleSet {
  const compiled = [...rules].sort(byPriorityThenId).map((rule) => ({
    rule,
    source: rule.document.source ?? 'events',
    holds: compileCondition(rule.condition),
  }));
  return {
    size: compiled.length,
    inOrder: (some) => [...some].sort(byPriorityThenId),
    match: (subject, context) =>
      compiled
        .filter(({ source, holds }) => source === subject.source && holds(subject, context))
        .map(({ rule }) => rule),
  };
}

/** The order of a rule set: higher priority first, then by id (UTF-16 code unit order). */
export function byPriorityThenId({ document: a }: RuleRevision, { document: b }: RuleRevision): number {
  const priority = (b.priority ?? 50) - (a.priority ?? 50);
  if (priority !== 0) return priority;
  return a.id < b.id ? -1 : Number(a.id > b.id);
}

/** The condition as a function, for whoever asks one rule at a time. */
export function compileCondition(condition: Condition): Holds {
  switch (condition.kind) {
    case 'all': {
      const parts = condition.of.map(compileCondition);
      return (subject, context) => parts.every((holds) => holds(subject, context));
    }
    case 'any': {
      const parts = condition.of.map(compileCondition);
      return (subject, context) => parts.some((holds) => holds(subject, context));
    }
    case 'not': {
      const holds = compileCondition(condition.of);
      return (subject, context) => !holds(subject, context);
    }
    case 'each':
      return compileEach(condition);
    case 'field': {
      const { paths, tests } = condition;
      const { holds, holdsAbsent } = compileTests(tests);
      return (subject, context) => {
        const elements = elementsAt(subject, paths);
        return elements === null ? holdsAbsent : holds(elements, context, subject);
      };
    }
    default:
      return condition satisfies never;
  }
}

// Elements that are no objects hold for nothing; `all` of nothing does not hold.
function compileEach({ paths, quantifier, of }: EachCondition): Holds {
  const holds = compileCondition(of);
  return (subject, context) => {
    const elements = elementsAt(subject, paths);
    if (elements === null || elements.length === 0) return false;
    const one = (element: unknown): boolean => isRecord(element) && holds({ ...subject, element }, context);
    return quantifier === 'any' ? elements.some(one) : elements.every(one);
  };
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
