// What the operators of one field say about the element that passes them, as far as it can be known without an event.
//
// Invariant (soundness): what is called impossible is impossible for every event, and what is called accepted is accepted;
// everything that depends on the moment, on named lists, on other fields, or on how a text is written is `open`.
import type { Network } from '../address.ts';
import { type Comparison, comparableElement } from '../comparison.ts';
import { fold } from '../fold.ts';
import { type CompiledTests, compileTests, type Test } from '../operators/operators.ts';
import type { ElementKind } from '../operators/type.ts';
import { severities } from '../severity.ts';

export type ElementTest = Exclude<Test, { op: 'all' | 'exists' | 'none' | 'not' }>;

export function isElementTest(test: Test): test is ElementTest {
  return test.op !== 'all' && test.op !== 'exists' && test.op !== 'none' && test.op !== 'not';
}

/** One of finitely many elements that can pass, up to what `comparison` ignores (case, spaces, synonyms). */
export interface Candidate {
  readonly element: unknown;
  readonly comparison: Comparison;
}

type Kind = ElementKind;

const allKinds: ReadonlySet<Kind> = new Set(['string', 'number', 'boolean', 'null', 'object']);

/** The only elements that can pass all tests; null when there are too many to list. An empty list: none can. */
export function candidatesOf(tests: readonly ElementTest[]): Candidate[] | null {
  const base = order.map((comparison) => tests.find((test) => listed(test) === comparison)).find(Boolean);
  if (base !== undefined && (base.op !== 'in' || base.values.length <= maxCandidates))
    return candidatesOfTest(base).filter((candidate) =>
      tests.every((test) => answer(test, candidate) !== false),
    );
  const kinds = [...allKinds].filter((kind) => tests.every((test) => kindsOf(test).has(kind)));
  return tests.length > 0 && kinds.length === 0 ? [] : null;
}

/** Longer lists are not looked at value by value. */
const maxCandidates = 500;

const order: readonly Comparison[] = ['exact', 'text', 'identifier', 'severity'];

function listed(test: ElementTest): Comparison | null {
  if (test.op === 'in') return test.comparison;
  return test.op === 'range' && test.of === 'severity' ? 'severity' : null;
}

function candidatesOfTest(test: ElementTest): Candidate[] {
  if (test.op === 'in') {
    const values = test.values.map((value) => candidate(value, test.comparison));
    return test.orNull ? [...values, { element: null, comparison: 'exact' as const }] : values;
  }
  return severities
    .map((element): Candidate => ({ element, comparison: 'severity' }))
    .filter((one) => answer(test, one) === true);
}

function candidate(value: unknown, comparison: Comparison): Candidate {
  if (comparison === 'severity') return { element: severities[value as number], comparison };
  // Numbers and booleans are written in one way only.
  return { element: value, comparison: typeof value === 'string' ? comparison : 'exact' };
}

/** Whether every element that the candidate stands for passes (true), none does (false), or that is open (null). */
export function answer(test: ElementTest, { element, comparison }: Candidate): boolean | null {
  if (!kindsOf(test).has(kindOf(element))) return false;
  if (test.op === 'in' && comparison === 'text' && test.comparison === 'exact')
    return test.values.some((value) => typeof value === 'string' && fold(value) === element) ? null : false;
  if (!isKnown(test, comparison)) return null;
  const compiled = predicates.get(test) ?? compileTests([test]);
  predicates.set(test, compiled);
  return compiled.holds([element], nothing, noSubject);
}

const predicates = new WeakMap<ElementTest, CompiledTests>();
const nothing = { now: 0, lists: new Map() };
const noSubject = { source: 'events', fields: {}, search: null } as const;

/** Does the test answer alike for all elements that are equal under the comparison, today and tomorrow? */
function isKnown(test: ElementTest, comparison: Comparison): boolean {
  switch (test.op) {
    case 'field':
    case 'in_list':
    case 'time':
    case 'clock':
      return false;
    case 'in':
      return comparison === 'exact' || test.comparison === comparison;
    case 'range':
      return (
        comparison === 'exact' || comparison === test.of || (comparison === 'text' && test.of === 'severity')
      );
    case 'cidr':
    case 'regex':
    case 'cased_text':
      return comparison === 'exact';
    case 'prefix':
    case 'suffix':
    case 'contains':
    case 'contains_all':
    case 'wildcard':
      return comparison === 'exact' || comparison === 'text';
    case 'type':
      return true;
    case 'other_than':
      return test.tests.every((one) => isElementTest(one) && isKnown(one, comparison));
    default:
      return test satisfies never;
  }
}

const texts: ReadonlySet<Kind> = new Set(['string']);

/** Kinds of elements that can pass. */
function kindsOf(test: ElementTest): ReadonlySet<Kind> {
  switch (test.op) {
    case 'in':
      return new Set([
        ...test.values.map((value) => inKind(test.comparison, value)),
        ...(test.orNull ? (['null'] as const) : []),
      ]);
    case 'range':
      return test.of === 'number' ? new Set(['number']) : texts;
    case 'type':
      return new Set(test.kinds);
    case 'field':
    case 'in_list':
    case 'other_than':
      return allKinds;
    case 'time':
    case 'clock':
      return new Set(['string', 'number']);
    case 'cased_text':
    case 'cidr':
    case 'contains':
    case 'contains_all':
    case 'prefix':
    case 'regex':
    case 'suffix':
    case 'wildcard':
      return texts;
    default:
      return test satisfies never;
  }
}

function inKind(comparison: Comparison, value: unknown): Kind {
  return comparison === 'severity' || comparison === 'identifier' ? 'string' : kindOf(value);
}

function kindOf(value: unknown): Kind {
  if (value === null) return 'null';
  return typeof value as Kind;
}

/** Every element that passes `given` passes `asked`, whatever else is asked of it. */
export function testImplies(given: ElementTest, asked: ElementTest): boolean {
  if (JSON.stringify(given) === JSON.stringify(asked)) return true;
  if (given.op === 'range' && asked.op === 'range')
    return given.of === asked.of && isWithin(given.bounds, asked.bounds);
  if (given.op === 'cidr' && asked.op === 'cidr')
    return given.ranges.every((inner) => asked.ranges.some((outer) => isPartOf(inner, outer)));
  if (!isFoldedText(given) || !isFoldedText(asked)) return false;
  const [has, wants] = [given.texts, asked.texts];
  switch (asked.op) {
    case 'prefix':
      return given.op === 'prefix' && has.every((text) => wants.some((part) => text.startsWith(part)));
    case 'suffix':
      return given.op === 'suffix' && has.every((text) => wants.some((part) => text.endsWith(part)));
    case 'contains':
      if (given.op === 'contains_all') return has.some((text) => wants.some((part) => text.includes(part)));
      return has.every((text) => wants.some((part) => text.includes(part)));
    case 'contains_all':
      if (given.op === 'contains_all') return wants.every((part) => has.some((text) => text.includes(part)));
      return has.every((text) => wants.every((part) => text.includes(part)));
    default:
      return false;
  }
}

/** Every address of the network is one of the other's. */
function isPartOf(inner: Network, outer: Network): boolean {
  if (inner.family !== outer.family || inner.bits < outer.bits) return false;
  const prefix = ({ address }: Network) =>
    address
      .map((byte) => byte.toString(2).padStart(8, '0'))
      .join('')
      .slice(0, outer.bits);
  return prefix(inner) === prefix(outer);
}

type FoldedText = Extract<ElementTest, { op: 'prefix' | 'suffix' | 'contains' | 'contains_all' }>;

function isFoldedText(test: ElementTest): test is FoldedText {
  return 'texts' in test && test.op !== 'cased_text';
}

type Bounds = Extract<ElementTest, { op: 'range' }>['bounds'];

function isWithin(inner: Bounds, outer: Bounds): boolean {
  const low = (bounds: Bounds) => bounds.gt ?? bounds.gte ?? Number.NEGATIVE_INFINITY;
  const high = (bounds: Bounds) => bounds.lt ?? bounds.lte ?? Number.POSITIVE_INFINITY;
  const lowFits =
    low(inner) > low(outer) ||
    (low(inner) === low(outer) && (outer.gt === undefined || inner.gt !== undefined));
  const highFits =
    high(inner) < high(outer) ||
    (high(inner) === high(outer) && (outer.lt === undefined || inner.lt !== undefined));
  return lowFits && highFits;
}

/** Does the value of a rule stand twice in its list, written in two ways that mean the same? */
export function repeatedValue(values: readonly unknown[], comparison: Comparison): unknown {
  const seen = new Set<unknown>();
  return values.find((value) => {
    const comparable = comparableElement[comparison](value);
    if (comparable === undefined) return false;
    const again = seen.has(comparable);
    seen.add(comparable);
    return again;
  });
}
