// A second reading of docs/rules.md: the naive reference evaluator, straight from the rule document. It
// defines the meaning: property tests and the permanent check of a sample hold the matcher against it.
//
// Invariant: it shares no code with the rest of topologies/domain/rules, so that one mistake is not made twice. It expects a rule
// that passed checkRule, reads the document anew for every event, and is slow.
import type { Rule } from '@tocsin/schemas/types.ts';
import { type Asked, heldByOne, listOf, type ReferenceContext, rankOf, same } from './one-element.ts';
import { at, atAll, type Fields, type Json, type ReferenceInput } from './paths.ts';
import { lower } from './texts.ts';

const aliasPaths: Record<string, Record<string, string[]>> = {
  events: {
    severity: ['data.severity'],
    asset_tags: ['data.asset.tags', 'data.asset_tags'],
    asset_groups: ['data.asset.groups', 'data.asset.group', 'data.asset_groups', 'data.asset_group'],
    scan_type: ['data.scan_type', 'data.scan.type'],
    scan_category: ['data.scan_category', 'data.scan.category', 'data.category'],
    category: ['data.scan_category', 'data.scan.category', 'data.category'],
    vulnerabilities: [
      ...['', '.id', '.ids', '.cve', '.cwe', '.ghsa'].map((end) => `data.vulnerability${end}`),
      ...[
        'data.vulnerability_id',
        'data.vulnerability_ids',
        'data.vulnerabilities',
        'data.vulnerabilities.id',
      ],
      ...['cve', 'cves', 'cwe', 'cwes', 'ghsa', 'template_id', 'template.id'].map((name) => `data.${name}`),
    ],
  },
  'search-results': {
    severity: ['severity'],
    asset_tags: ['asset.tags', 'asset_tags'],
    asset_groups: ['asset.groups', 'asset.group', 'asset_groups', 'asset_group'],
    vulnerabilities: ['vulnerability.id', 'vulnerability_id', 'cve', 'cwe', 'ghsa'],
  },
};

export function referenceMatches(
  rule: Rule,
  input: ReferenceInput,
  context: ReferenceContext = { now: 0, lists: new Map() },
): boolean {
  if (rule.match_all === true) return true;
  return block(rule.when as Fields, { source: rule.source ?? 'events', input, context });
}

function block(conditions: Fields, asked: Asked): boolean {
  for (const [key, wanted] of Object.entries(conditions)) if (!entry(key, wanted, asked)) return false;
  return true;
}

function entry(key: string, wanted: Json, asked: Asked): boolean {
  const blocks = wanted as Fields[];
  if (key === 'any') return blocks.filter((part) => block(part, asked)).length > 0;
  if (key === 'all') return blocks.filter((part) => !block(part, asked)).length === 0;
  if (key === 'not') return !block(wanted as Fields, asked);
  if (key === 'each') return each(wanted as Fields, asked);
  const { source, input } = asked;
  if (source === 'element') return field([key], wanted, 'text', asked);
  if (key === 'events') return listOf(wanted).some((type) => isType(type as string, input));
  if (key === 'exclude') return !listOf(wanted).some((type) => isSubtype(type as string, input));
  if (key === 'min_severity') {
    const paths = aliasPaths[source]?.['severity'] as string[];
    return atAll(paths, source, input).some((element) => isAtLeast(element, wanted as string));
  }
  const known = aliasPaths[source] as Record<string, string[]>;
  const alias = Object.hasOwn(known, key) ? known[key] : undefined;
  if (alias === undefined) return field([key], wanted, 'text', asked);
  return field(
    alias,
    wanted,
    key === 'severity' ? 'severity' : key === 'vulnerabilities' ? 'id' : 'text',
    asked,
  );
}

function each(wanted: Fields, { source, input, context }: Asked): boolean {
  const elements = atAll([wanted['path'] as string], source, input);
  const matching = elements.filter(
    (element) =>
      typeof element === 'object' &&
      element !== null &&
      block(wanted['match'] as Fields, {
        source: 'element',
        input: { fields: element as Fields },
        context,
      }),
  );
  if (wanted['quantifier'] === 'all') return elements.length > 0 && matching.length === elements.length;
  return matching.length > 0;
}

function isType(type: string, { fields }: ReferenceInput): boolean {
  const event = lower(String(fields['event']));
  const name = lower(type);
  return name.endsWith('.*') ? event.slice(0, name.length - 1) === name.slice(0, -1) : event === name;
}

function isSubtype(type: string, input: ReferenceInput): boolean {
  if (isType(type, input)) return true;
  const words = type.split('.');
  const rank = rankOf(words.pop());
  if (rank === null || words.length === 0 || words.join('.') === '') return false;
  return (
    isType(`${words.join('.')}.*`, input) &&
    atAll(['data.severity'], 'events', input).some((element) => rankOf(element) === rank)
  );
}

function isAtLeast(element: Json, word: string): boolean {
  const rank = rankOf(element);
  return rank !== null && rank >= (rankOf(word) as number);
}

/** One condition on one field. */
function field(paths: string[], wanted: Json, kind: string, asked: Asked): boolean {
  const elements = atAll(paths, asked.source, asked.input);
  const there = paths.some((path) => at(path, asked.source, asked.input).length > 0);
  return there ? heldBy(elements, wanted, kind, asked) : heldByNothing(wanted);
}

function differs(element: Json, operand: Json, kind: string, asked: Asked): boolean {
  const isValue = element === null || typeof element !== 'object';
  return isValue && !heldBy([element], operand, kind, asked);
}

function heldByNothing(wanted: Json): boolean {
  if (wanted === null) return true;
  if (Array.isArray(wanted)) return wanted.includes(null);
  if (typeof wanted !== 'object') return false;
  return Object.entries(wanted as Fields).every(([operator, operand]) => {
    if (operator === 'exists') return operand === false;
    if (operator === 'in' || operator === 'any' || operator === 'cased')
      return listOf(operand).includes(null);
    return false;
  });
}

const aboutTheField = ['exists', 'not', 'all', 'none'];

// Say how another operator beside them is meant.
const modifiers = ['flags', 'time_zone'];

function heldBy(elements: Json[], wanted: Json, kind: string, asked: Asked): boolean {
  const all: Fields =
    typeof wanted === 'object' && wanted !== null && !Array.isArray(wanted)
      ? (wanted as Fields)
      : { in: wanted };
  const operators = Object.entries(all).filter(([operator]) => !modifiers.includes(operator));
  const about = operators.filter(([operator]) => aboutTheField.includes(operator));
  const single = operators.filter(([operator]) => !aboutTheField.includes(operator));
  for (const [operator, operand] of about) {
    if (operator === 'exists' && operand !== true) return false;
    if (operator === 'not' && heldBy(elements, operand, kind, asked)) return false;
    if (
      operator === 'all' &&
      !listOf(operand).every((value) => elements.some((element) => same(element, value, kind)))
    )
      return false;
    if (
      operator === 'none' &&
      elements.some((element) => listOf(operand).some((value) => same(element, value, kind)))
    )
      return false;
  }
  if (single.length === 0) return true;
  return elements.some((element) =>
    single.every(([operator, operand]) =>
      operator === 'other_than'
        ? differs(element, operand, kind, asked)
        : heldByOne(element, operator, operand, kind, all, asked),
    ),
  );
}
