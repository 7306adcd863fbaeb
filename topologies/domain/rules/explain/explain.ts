// Why a rule matches one event or row, or why not: the verdict of every condition and operator, as a tree.
//
// Invariant: the verdict of a node follows from the nodes below it, and a field's from the same compiled tests that the
// matcher uses, so the root says what the evaluator would do.
// The surprise: operators of one field can each hold and the field still not, because they ask about the same element.
import { compileCondition } from '../compile.ts';
import type { Condition, EachCondition, FieldCondition } from '../condition.ts';
import type { MatchContext } from '../context.ts';
import { compileTests } from '../operators/operators.ts';
import type { RuleRevision } from '../parse-rule.ts';
import { elementsAt, type Subject } from '../path.ts';
import { explainLimits, showElements, showValue, whyAbsent } from './found.ts';
import { type OperatorOutline, type Outline, operatorsOf, outlineRule } from './outline.ts';

export interface Explanation {
  /** JSON Pointer into the rule document. */
  readonly path: string;
  /** `element` is one element of the list that an `each` looks at; `rule` stands for a rule that was not asked at all. */
  readonly kind: Condition['kind'] | 'operator' | 'element' | 'rule';
  /** The key that is written there, or what stands in a list. */
  readonly what: string;
  readonly holds: boolean;
  /** What the rule asks for, as JSON, cut. */
  readonly wanted?: string;
  /** What the event or row has there; left out for blocks. */
  readonly found?: Found;
  /** Why it is so, where the verdict alone does not say it. */
  readonly note?: string;
  readonly parts: readonly Explanation[];
}

export interface Found {
  /** Elements, lists opened; null when the field is absent. */
  readonly count: number | null;
  /** The first of them as JSON, each cut. */
  readonly elements: readonly string[];
}

/** The tree for one rule; its root is `/when`. Never throws; at most `explainLimits.nodes` nodes. */
export function explainRule(
  rule: Omit<RuleRevision, 'revision'>,
  subject: Subject,
  context: MatchContext,
): Explanation {
  const source = rule.document.source ?? 'events';
  const outline = outlineRule(rule);
  if (source !== subject.source)
    return {
      path: '/source',
      kind: 'rule',
      what: 'source',
      holds: false,
      note: `the rule looks at ${source}`,
      parts: [],
    };
  return createExplainer(context).explain(outline, subject);
}

function createExplainer(context: MatchContext) {
  let left: number = explainLimits.nodes;

  function explain(outline: Outline, subject: Subject): Explanation {
    left -= 1;
    const { condition, path, key } = outline;
    const holds = compileCondition(condition)(subject, context);
    const base = { path, kind: condition.kind, what: key, holds };
    if (left < 0) return { ...base, note: 'parts are not shown: the explanation is too long', parts: [] };
    if (condition.kind === 'field') return { ...base, ...explainField(outline, condition, subject) };
    if (condition.kind === 'each') return { ...base, ...explainEach(outline, condition, subject) };
    const parts = outline.parts.map((part) => explain(part, subject));
    const wanted = isBlock(outline) ? {} : { wanted: showValue(outline.value) };
    return { ...base, ...wanted, ...noteOf(outline), parts };
  }

  function explainField(outline: Outline, { paths, tests }: FieldCondition, subject: Subject) {
    const elements = elementsAt(subject, paths);
    const parts = operatorsOf(outline.path, outline.value, tests).map((operator) =>
      explainOperator(operator, elements, subject),
    );
    const shown = {
      wanted: showValue(outline.value),
      found: { count: elements?.length ?? null, elements: showElements(elements) },
    };
    const plain = parts.length === 1 && parts[0]?.path === outline.path;
    const apart =
      elements !== null &&
      parts.length > 1 &&
      parts.every(({ holds }) => holds) &&
      !allHold(tests, elements, subject)
        ? 'each operator holds, but not for the same element'
        : undefined;
    const note = elements === null ? whyAbsent(subject, paths) : apart;
    return { ...shown, ...(note === undefined ? {} : { note }), parts: plain ? [] : parts };
  }

  function allHold(tests: FieldCondition['tests'], elements: readonly unknown[], subject: Subject): boolean {
    return compileTests(tests).holds(elements, context, subject);
  }

  function explainOperator(
    { path, name, value, tests }: OperatorOutline,
    elements: readonly unknown[] | null,
    subject: Subject,
  ): Explanation {
    left -= 1;
    const { holds, holdsAbsent } = compileTests(tests);
    const verdict = elements === null ? holdsAbsent : holds(elements, context, subject);
    const [test] = tests;
    const negated = test?.op === 'not' || test?.op === 'other_than' ? test.tests : [];
    const inner =
      elements === null
        ? []
        : operatorsOf(path, value, negated).map((operator) => explainOperator(operator, elements, subject));
    const parts = inner.length === 1 && inner[0]?.path === path ? [] : inner;
    return { path, kind: 'operator', what: name, holds: verdict, wanted: showValue(value), parts };
  }

  function explainEach(outline: Outline, { paths, quantifier, of }: EachCondition, subject: Subject) {
    const elements = elementsAt(subject, paths);
    const holdsOf = compileCondition(of);
    const found = { count: elements?.length ?? null, elements: [] };
    const shown = (elements ?? []).slice(0, explainLimits.eachElements);
    const parts = shown.map((element, index): Explanation => {
      left -= 1;
      const base = { path: `${outline.path}/match`, kind: 'element' as const, what: `element ${index}` };
      if (!isRecord(element)) return { ...base, holds: false, note: 'is no object', parts: [] };
      const inner = { ...subject, element };
      const nested = left < 0 ? [] : outline.parts.map((part) => explain(part, inner));
      return { ...base, holds: holdsOf(inner, context), parts: nested };
    });
    const hidden = (elements?.length ?? 0) - shown.length;
    const asks = quantifier === 'any' ? 'one element has to hold' : 'every element has to hold';
    const note =
      elements === null
        ? whyAbsent(subject, paths)
        : hidden > 0
          ? `${asks}; ${hidden} more are not shown`
          : asks;
    return { found, note, parts };
  }

  return { explain };
}

function isBlock({ value, key, condition }: Outline): boolean {
  if (condition.kind === 'not') return key === 'not';
  return typeof value === 'object' && value !== null && key !== 'events';
}

function noteOf({ key, condition, path }: Outline): { note?: string } {
  if (path === '/match_all') return { note: 'the rule matches everything' };
  if (condition.kind === 'any') return { note: 'one has to hold' };
  if (condition.kind === 'not') return { note: key === 'not' ? 'must not all hold' : 'none may hold' };
  return {};
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
