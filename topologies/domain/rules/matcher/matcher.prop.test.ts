// The matcher agrees with the reference evaluator on sets of generated rules under changes: hostile events as bytes and as values,
// rows of search results.
//
// TOCSIN_PROPERTY_RUNS is the number of comparisons (one rule, one subject) in all, about 12,000 without it.
import { parseJson } from '@tocsin/schemas/codecs/json.ts';
import { createScanner, hashText } from '@tocsin/schemas/codecs/scan/scanner.ts';
import type { Rule } from '@tocsin/schemas/types.ts';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { assertMixed } from '../../../testing/assert-mixed.ts';
import {
  contextArbitrary,
  eventArbitrary,
  eventRuleArbitrary,
  rowArbitrary,
  rowRuleArbitrary,
} from '../../../testing/oracle/arbitraries.ts';
import { denseEventArbitrary, denseRuleArbitrary } from '../../../testing/oracle/dense.ts';
import { compileRules } from '../compile.ts';
import { buildNamedLists } from '../named-list.ts';
import { parseRule, type RuleRevision } from '../parse-rule.ts';
import { referenceMatches } from '../reference/match-rule.ts';
import type { ReferenceContext } from '../reference/one-element.ts';
import { createMatcher, type Matcher } from './matcher.ts';

const comparisons = Number(process.env['TOCSIN_PROPERTY_RUNS'] ?? 12_000);
const limit = { timeout: 30_000 + comparisons * 10 };
/** Rules of one case that are asked about each of its subjects. */
const ids = Array.from({ length: 16 }, (_, i) => `r${i}`);
const subjects = 6;

function create(fewestChanges = 1024): Matcher {
  return createMatcher({ createScanner, hashText, seed: 77, fewestChanges });
}

function revise(document: Rule, id: string, priority: number): RuleRevision | null {
  const { rule } = parseRule({ ...document, id, priority });
  return rule && { ...rule, revision: 1 };
}

const idsOf = (rules: readonly RuleRevision[]): string[] => rules.map(({ document }) => document.id);

type Row = Record<string, unknown>;

type Reference = (rule: RuleRevision, fields: Row, search: Row | null, context: ReferenceContext) => boolean;

const byOracle: Reference = ({ document }, fields, search, context) =>
  referenceMatches(document, search === null ? { fields } : { fields, search }, context);

/** One rule at a time over values, for what the oracle does not read. */
const byValues: Reference = (rule, fields, search, context) => {
  const asked = { now: context.now, lists: buildNamedLists(context.lists).lists };
  const source = rule.document.source ?? 'events';
  return compileRules([rule]).match({ source, fields, search }, asked).length === 1;
};

function createRun(reference: Reference) {
  const counts = { ok: 0, irregular: 0, held: 0, missed: 0 };
  const expected = (
    rules: ReadonlyMap<string, RuleRevision>,
    fields: Row,
    search: Row | null,
    context: ReferenceContext,
  ): string[] => {
    const wanted = [...rules.values()]
      .filter((rule) => reference(rule, fields, search, context))
      .map(({ document }) => document)
      .sort((a, b) => (b.priority ?? 50) - (a.priority ?? 50) || (a.id < b.id ? -1 : 1))
      .map(({ id }) => id);
    counts.held += wanted.length;
    counts.missed += rules.size - wanted.length;
    return wanted;
  };
  return {
    counts,
    row(
      matcher: Matcher,
      rules: ReadonlyMap<string, RuleRevision>,
      fields: Row,
      search: Row,
      context: ReferenceContext,
    ) {
      const { lists } = buildNamedLists(context.lists);
      const found = matcher.match({ source: 'search-results', fields, search }, { now: context.now, lists });
      expect(idsOf(found)).toEqual(expected(rules, fields, search, context));
    },
    event(
      matcher: Matcher,
      rules: ReadonlyMap<string, RuleRevision>,
      text: string,
      context: ReferenceContext,
    ) {
      const bytes = Buffer.from(text);
      const parsed = parseJson(bytes);
      if (!parsed.ok) return;
      const { lists } = buildNamedLists(context.lists);
      const fields = parsed.value;
      const asked = { now: context.now, lists };
      const wanted = expected(rules, fields, null, context);
      expect(idsOf(matcher.match({ source: 'events', fields, search: null }, asked))).toEqual(wanted);
      const padded = Buffer.concat([Buffer.from('}{'), bytes, Buffer.from('"')]);
      const found = matcher.matchBytes(padded, 2, padded.length - 1, asked);
      counts[found.verdict] += 1;
      if (found.verdict === 'ok') expect(idsOf(found.rules)).toEqual(wanted);
    },
  };
}

// A generator that makes rules which never or always hold would prove nothing.
function expectMixed({ held, missed }: ReturnType<typeof createRun>['counts']): void {
  expect(held / (held + missed)).toBeGreaterThan(0.05);
  expect(missed / (held + missed)).toBeGreaterThan(0.05);
}

/** Half of the rules look for texts anywhere below a path instead. */
const anywhereRuleArbitrary = fc
  .tuple(denseRuleArbitrary, fc.constantFrom('data.a', 'data.*', '*', 'data.items.*'))
  .map(([rule, path]): Rule => {
    const { 'data.a': asked, ...others } = rule.when as Row;
    return asked === undefined ? rule : { ...rule, when: { ...others, [path]: asked } };
  });

/** What happens between questions: a rule is put under one of a few ids, or one is removed. */
function changes(rule: fc.Arbitrary<Rule>): fc.Arbitrary<[string, Rule | null, number][]> {
  const what = fc.oneof({ weight: 5, arbitrary: rule }, { weight: 1, arbitrary: fc.constant(null) });
  return fc.array(fc.tuple(fc.constantFrom(...ids), what, fc.integer({ min: 49, max: 51 })), {
    minLength: 8,
    maxLength: 24,
  }) as fc.Arbitrary<[string, Rule | null, number][]>;
}

function change(
  matcher: Matcher,
  rules: Map<string, RuleRevision>,
  steps: [string, Rule | null, number][],
): void {
  for (const [id, document, priority] of steps) {
    const rule = document && revise(document, id, priority);
    if (rule === null) expect(matcher.remove(id)).toBe(rules.delete(id));
    else {
      matcher.put(rule);
      rules.set(id, rule);
    }
    expect(matcher.size).toBe(rules.size);
  }
}

const numRuns = Math.max(1, Math.ceil(comparisons / (4 * 10 * 2 * subjects)));

// Names that the scanner leaves to the other way are rare in the world and common among these events.
function usual(text: string): string {
  return text.replaceAll('"__proto__":', '"b":').replaceAll('"constructor":', '"tags":');
}

function eventsAgree(rule: fc.Arbitrary<Rule>, event: fc.Arbitrary<Row>, reference = byOracle): void {
  const run = createRun(reference);
  const several = fc.array(fc.tuple(event, fc.boolean()), { minLength: subjects, maxLength: subjects });
  const round = fc.tuple(changes(rule), several);
  const property = fc.property(
    fc.array(round, { minLength: 2, maxLength: 2 }),
    contextArbitrary,
    (rounds, context) => {
      const matcher = create();
      const rules = new Map<string, RuleRevision>();
      for (const [steps, events] of rounds) {
        change(matcher, rules, steps);
        for (const [fields, hostile] of events) {
          const text = JSON.stringify(fields);
          run.event(matcher, rules, hostile ? text : usual(text), context);
        }
      }
    },
  );
  assertMixed(property, numRuns, () => {
    expectMixed(run.counts);
    expect(run.counts.ok).toBeGreaterThan(run.counts.irregular / 4);
  });
}

test('rules over events agree with the reference evaluator', limit, () =>
  eventsAgree(eventRuleArbitrary, eventArbitrary),
);

test('rules over one field and over the elements of one list agree with it', limit, () =>
  eventsAgree(denseRuleArbitrary, denseEventArbitrary),
);

test('rules over texts anywhere agree with rules asked one by one', limit, () =>
  eventsAgree(anywhereRuleArbitrary, denseEventArbitrary, byValues),
);

test('rules over rows agree with it', limit, () => {
  const run = createRun(byOracle);
  const several = fc.array(fc.tuple(rowArbitrary, rowArbitrary), {
    minLength: subjects,
    maxLength: subjects,
  });
  const round = fc.tuple(changes(rowRuleArbitrary), several);
  const property = fc.property(
    fc.array(round, { minLength: 2, maxLength: 2 }),
    contextArbitrary,
    (rounds, context) => {
      const matcher = create();
      const rules = new Map<string, RuleRevision>();
      for (const [steps, rows] of rounds) {
        change(matcher, rules, steps);
        for (const [fields, search] of rows) run.row(matcher, rules, fields, search, context);
      }
    },
  );
  assertMixed(property, numRuns, () => expectMixed(run.counts));
});

// Rules that share conditions crowd the buckets, which are then split; tables are built anew while rules come and go.
test('crowded rules agree with it while the tables are built anew', limit, () => {
  const run = createRun(byOracle);
  const shared = fc.constantFrom<Row>(
    { event: 'finding.new' },
    { 'data.a': { exists: true } },
    { event: { prefix: 'finding.' } },
  );
  const crowd = fc
    .tuple(shared, denseRuleArbitrary, denseRuleArbitrary)
    .map(([one, a, b]): Rule => ({ ...a, when: { ...one, all: [a.when ?? {}, b.when ?? {}] } }));
  const many = fc.array(
    fc.tuple(
      fc.integer({ min: 0, max: 99 }),
      fc.oneof({ weight: 9, arbitrary: crowd }, { weight: 1, arbitrary: fc.constant(null) }),
    ),
    { minLength: 30, maxLength: 120, size: 'max' },
  ) as fc.Arbitrary<[number, Rule | null][]>;
  const step = fc.tuple(
    many,
    fc.array(denseEventArbitrary, { minLength: 3, maxLength: 3 }),
    fc.nat({ max: 60 }),
  );
  const property = fc.property(
    fc.array(step, { minLength: 3, maxLength: 3 }),
    contextArbitrary,
    (steps, context) => {
      const matcher = create(8);
      const rules = new Map<string, RuleRevision>();
      for (const [puts, events, slices] of steps) {
        for (const [index, [number, document]] of puts.entries()) {
          change(matcher, rules, [[`r${number}`, document, 50]]);
          if (index % 8 === 0) matcher.compact(3);
        }
        for (const fields of events) {
          run.event(matcher, rules, JSON.stringify(fields), context);
          for (let slice = 0; slice < slices; slice++) matcher.compact(7);
        }
      }
    },
  );
  assertMixed(property, Math.max(1, Math.ceil(comparisons / (2 * 3 * 3 * 150))), () =>
    expect(run.counts.held).toBeGreaterThan(run.counts.missed / 50),
  );
});
