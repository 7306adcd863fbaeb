// What one field of a pattern may be, in the words of the rule language.
//
// Invariant: only texts, numbers, true, false and null are values; an object or an empty list at the field is as good as
// no field. `anything-but` asks for one element that differs, which is other_than, not for the absence of an equal one.

import { parseAddress } from '../../address.ts';
import { limits } from '../../limits.ts';
import { anyOf, type Clause, type FieldTest, field, not } from '../clause.ts';
import { escapeRegex } from '../imported.ts';
import type { Match } from './pattern.ts';

type TextMatch = Extract<Match, { kind: 'text' }>;

/** The operators of the rule language that a group of matches becomes. */
interface Groups {
  exact: unknown[];
  folded: string[];
  networks: string[];
  readonly texts: Map<string, string[]>;
  readonly others: FieldTest[];
}

/** A field that holds any value at all. */
const anyValue = { type: 'value' };

export function leafClause(path: string, matches: readonly Match[]): Clause {
  const absent = matches.some((match) => match.kind === 'exists' && !match.there);
  const tests = testsOf(matches.filter((match) => match.kind !== 'exists' || match.there));
  return anyOf([...(absent ? [not(field(path, anyValue))] : []), ...tests.map((test) => field(path, test))]);
}

function testsOf(matches: readonly Match[]): FieldTest[] {
  const groups: Groups = { exact: [], folded: [], networks: [], texts: new Map(), others: [] };
  for (const match of matches) addMatch(groups, match, false);
  return writeGroups(groups);
}

/** `within` anything-but an address is compared as the text that it is. */
function addMatch(groups: Groups, match: Match, within: boolean): void {
  switch (match.kind) {
    case 'value':
      if (!within && isAddress6(match.value)) groups.networks.push(match.value);
      else groups.exact.push(match.value);
      return;
    case 'text':
      addText(groups, match);
      return;
    case 'cidr':
      groups.networks.push(match.network);
      return;
    case 'range':
      groups.others.push(match.bounds);
      return;
    case 'exists':
      groups.others.push(anyValue);
      return;
    case 'but':
      groups.others.push({ other_than: but(match.matches) });
      return;
    default:
      match satisfies never;
  }
}

function addText(groups: Groups, { at, text, cased }: TextMatch): void {
  if (at === 'equal') groups.folded.push(text);
  else if (text === '' && at === 'wildcard') groups.exact.push(text);
  // Every text begins and ends with the empty one.
  else if (text === '') groups.others.push({ type: 'string' });
  else {
    const [operator, operand] = at === 'wildcard' ? wildcard(literalsOf(text)) : [at, text];
    const key = `${cased ? 'cased' : 'folded'} ${operator}`;
    groups.texts.set(key, [...(groups.texts.get(key) ?? []), operand]);
  }
}

/** What stands between the stars. */
function literalsOf(text: string): string[] {
  return text
    .replaceAll(/\\([\\*])|\*/g, (_all, escaped: string | undefined) => escaped ?? '\u0000')
    .split('\u0000');
}

/** Simple wildcards as the operator they are; one with many stars as a regular expression. */
function wildcard(literals: readonly string[]): [string, string] {
  const [first = '', second = '', third] = literals;
  if (literals.length === 2 && first === '' && second !== '') return ['suffix', second];
  if (literals.length === 2 && second === '' && first !== '') return ['prefix', first];
  if (literals.length === 3 && first === '' && third === '' && second !== '') return ['contains', second];
  return literals.length - 1 > limits.stars
    ? ['regex', regexOf(literals)]
    : ['wildcard', patternOf(literals)];
}

function regexOf(literals: readonly string[]): string {
  return `^${literals.map(escapeRegex).join('.*')}$`;
}

function patternOf(literals: readonly string[]): string {
  return literals.map((part) => part.replaceAll(/\\(?=[\\*?]|$)|[*?]/g, '\\$&')).join('*');
}

/** One test for all of them: what is excluded together must stand in one operator. */
function but(matches: readonly Match[]): FieldTest {
  const texts = matches.filter((match): match is TextMatch => match.kind === 'text');
  if (texts.some(({ at }) => at === 'wildcard')) {
    const all = texts.map(({ text }) => literalsOf(text));
    const simple = all.every((literals) => literals.join('*') !== '' && literals.length - 1 <= limits.stars);
    if (simple) return { cased: { wildcard: listed(all.map(patternOf)) } };
    return { regex: listed(all.map(regexOf)), flags: 's' };
  }
  const groups: Groups = { exact: [], folded: [], networks: [], texts: new Map(), others: [] };
  for (const match of matches) addMatch(groups, match, true);
  return writeGroups(groups)[0];
}

function writeGroups({ exact, folded, networks, texts, others }: Groups): FieldTest[] {
  const tests: FieldTest[] = [];
  if (exact.length > 0) tests.push(writeExact([...new Set(exact)]));
  if (folded.length > 0) tests.push(listed(folded));
  if (networks.length > 0) tests.push({ cidr: listed(networks) });
  for (const [key, operands] of texts) {
    const [letters, operator = ''] = key.split(' ');
    if (operator === 'regex') tests.push({ regex: listed(operands), flags: 's' });
    else if (letters === 'cased') tests.push({ cased: { [operator]: listed(operands) } });
    else tests.push({ [operator]: listed(operands) });
  }
  return [...tests, ...others];
}

/** null means that null is there; in this language it also means that nothing is, unless that is excluded. */
function writeExact(values: readonly unknown[]): FieldTest {
  const hasText = values.some((value) => typeof value === 'string');
  const there = values.includes(null) ? { exists: true } : {};
  if (hasText) return { cased: listed(values), ...there };
  return values.includes(null) ? { in: listed(values), ...there } : listed(values);
}

function listed(values: readonly unknown[]): unknown {
  return values.length === 1 ? values[0] : values;
}

/** event-ruler compares addresses of IP version 6 as addresses, whatever way they are written in. */
function isAddress6(value: unknown): value is string {
  return typeof value === 'string' && value.includes(':') && parseAddress(value)?.family === 6;
}
