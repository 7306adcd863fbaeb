// cased with an operator in it: prefix, suffix, contains or wildcard in the exact case.
//
// Invariant: what holds in the exact case holds in any case too, so the folded test stands beside this one and can be
// looked up. The exception is `?`: folding may change how many characters a text has.

import { containsOperator } from './contains.ts';
import type { Part, Predicate } from './operator.ts';
import type { Test } from './operators.ts';
import { prefixOperator } from './prefix.ts';
import { suffixOperator } from './suffix.ts';
import { entriesOf } from './values.ts';
import { tokenize, type WildcardToken, wildcardOperator } from './wildcard.ts';
import { compileWildcard } from './wildcard-match.ts';

export interface CasedTextTest {
  readonly op: 'cased_text';
  readonly at: 'prefix' | 'suffix' | 'contains' | 'wildcard';
  /** As they are written, not folded; empty for wildcard. */
  readonly texts: readonly string[];
  /** Empty for the others. */
  readonly patterns: readonly (readonly WildcardToken[])[];
}

const folded: Readonly<Record<string, (part: Part) => Test | null>> = {
  prefix: (part) => prefixOperator.parse(part),
  suffix: (part) => suffixOperator.parse(part),
  contains: (part) => containsOperator.parse(part),
  wildcard: (part) => wildcardOperator.parse(part),
};

/** The tests for `cased: {prefix: ...}`; null after an issue was reported. */
export function parseCasedText(part: Part): Test[] | null {
  const entries = Object.entries(part.value as Readonly<Record<string, unknown>>);
  const [entry] = entries;
  const parse = entry !== undefined && Object.hasOwn(folded, entry[0]) ? folded[entry[0]] : undefined;
  if (entry === undefined || parse === undefined || entries.length !== 1)
    return part.refuse(`must be a value, a list, or an object with one of ${Object.keys(folded).join(', ')}`);
  const [at, operand] = entry as [CasedTextTest['at'], unknown];
  const below = part.at(at, operand);
  const inAnyCase = parse(below);
  if (inAnyCase === null) return null;
  const texts = (entriesOf(below) ?? []).map(({ value }) => value as string);
  const patterns = at === 'wildcard' ? texts.map((text) => tokenize(text, asWritten).tokens) : [];
  const test: CasedTextTest = { op: 'cased_text', at, texts: at === 'wildcard' ? [] : texts, patterns };
  return patterns.flat().includes('?') ? [test] : [inAnyCase, test];
}

function asWritten(text: string): string {
  return text;
}

export function compileCasedText({ at, texts, patterns }: CasedTextTest): Predicate {
  const fitting = patterns.map(compileWildcard);
  const has = (text: string, wanted: string): boolean => {
    if (at === 'prefix') return text.startsWith(wanted);
    return at === 'suffix' ? text.endsWith(wanted) : text.includes(wanted);
  };
  return {
    on: 'element',
    holds: (element) =>
      typeof element === 'string' &&
      (texts.some((wanted) => has(element, wanted)) || fitting.some((fits) => fits(element))),
    holdsAbsent: false,
  };
}
