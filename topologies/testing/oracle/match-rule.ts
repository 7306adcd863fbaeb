// A second reading of docs/rules.md: the naive reference evaluator, straight from the rule document, for tests only.
//
// Invariant: it shares no code with topologies/domain/rules, so that one mistake is not made twice. It expects a rule
// that passed checkRule, reads the document anew for every event, and is slow.
import type { Rule } from '@tocsin/schemas/types.ts';

type Json = unknown;
type Fields = Record<string, Json>;

/** What the rule looks at: `fields` is the event or the row; `search` stands beside a row. */
export interface OracleInput {
  readonly fields: Fields;
  readonly search?: Fields;
}

const ranks: Record<string, number> = Object.assign(Object.create(null), {
  info: 0,
  information: 0,
  informational: 0,
  none: 0,
  low: 1,
  medium: 2,
  moderate: 2,
  high: 3,
  important: 3,
  critical: 4,
});

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

export function oracleMatches(rule: Rule, input: OracleInput): boolean {
  if (rule.match_all === true) return true;
  return block(rule.when as Fields, rule.source ?? 'events', input);
}

function block(conditions: Fields, source: string, input: OracleInput): boolean {
  for (const [key, wanted] of Object.entries(conditions))
    if (!entry(key, wanted, source, input)) return false;
  return true;
}

function entry(key: string, wanted: Json, source: string, input: OracleInput): boolean {
  const blocks = wanted as Fields[];
  if (key === 'any') return blocks.filter((part) => block(part, source, input)).length > 0;
  if (key === 'all') return blocks.filter((part) => !block(part, source, input)).length === 0;
  if (key === 'not') return !block(wanted as Fields, source, input);
  if (key === 'events') return listOf(wanted).some((type) => isType(type as string, input));
  if (key === 'exclude') return !listOf(wanted).some((type) => isSubtype(type as string, input));
  if (key === 'min_severity') {
    const paths = aliasPaths[source]?.['severity'] as string[];
    return atAll(paths, source, input).some((element) => isAtLeast(element, wanted as string));
  }
  const known = aliasPaths[source] as Record<string, string[]>;
  const alias = Object.hasOwn(known, key) ? known[key] : undefined;
  if (alias === undefined) return field([key], wanted, 'text', source, input);
  return field(
    alias,
    wanted,
    key === 'severity' ? 'severity' : key === 'vulnerabilities' ? 'id' : 'text',
    source,
    input,
  );
}

function isType(type: string, { fields }: OracleInput): boolean {
  const event = lower(String(fields['event']));
  const name = lower(type);
  return name.endsWith('.*') ? event.slice(0, name.length - 1) === name.slice(0, -1) : event === name;
}

function isSubtype(type: string, input: OracleInput): boolean {
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
function field(paths: string[], wanted: Json, kind: string, source: string, input: OracleInput): boolean {
  const elements = atAll(paths, source, input);
  const there = paths.some((path) => at(path, source, input).length > 0);
  return there ? heldBy(elements, wanted, kind) : heldByNothing(wanted);
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

function heldBy(elements: Json[], wanted: Json, kind: string): boolean {
  const operators: [string, Json][] =
    typeof wanted === 'object' && wanted !== null && !Array.isArray(wanted)
      ? Object.entries(wanted as Fields)
      : [['in', wanted]];
  const about = operators.filter(([operator]) => aboutTheField.includes(operator));
  const single = operators.filter(([operator]) => !aboutTheField.includes(operator));
  for (const [operator, operand] of about) {
    if (operator === 'exists' && operand !== true) return false;
    if (operator === 'not' && heldBy(elements, operand, kind)) return false;
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
    single.every(([operator, operand]) => heldByOne(element, operator, operand, kind)),
  );
}

function heldByOne(element: Json, operator: string, operand: Json, kind: string): boolean {
  const texts = listOf(operand).map((value) => lower(String(value)));
  const text = typeof element === 'string' ? lower(element) : null;
  switch (operator) {
    case 'in':
    case 'any':
      return listOf(operand).some((value) => same(element, value, kind));
    case 'cased':
      return listOf(operand).some((value) => element === value);
    case 'prefix':
      return text !== null && texts.some((part) => text.slice(0, part.length) === part);
    case 'suffix':
      return (
        text !== null &&
        texts.some((part) => text.length >= part.length && text.slice(text.length - part.length) === part)
      );
    case 'contains':
      return text !== null && texts.some((part) => text.split(part).length > 1);
    case 'contains_all':
      return text !== null && texts.every((part) => text.split(part).length > 1);
    default: {
      const bound = typeof operand === 'number' ? operand : (rankOf(operand) as number);
      const value = typeof operand === 'number' ? element : rankOf(element);
      if (typeof value !== 'number') return false;
      if (operator === 'gt') return value > bound;
      if (operator === 'gte') return value >= bound;
      return operator === 'lt' ? value < bound : value <= bound;
    }
  }
}

function same(element: Json, value: Json, kind: string): boolean {
  if (value === null) return element === null;
  if (kind === 'severity') return rankOf(element) !== null && rankOf(element) === rankOf(value);
  if (typeof element !== typeof value) return false;
  if (typeof element !== 'string' || typeof value !== 'string') return kind !== 'id' && element === value;
  return kind === 'id'
    ? element.trim().toUpperCase() === value.trim().toUpperCase()
    : lower(element) === lower(value);
}

/** Every finding of a path, each as the list of its elements. Nested before flat keys; the first way that leads somewhere wins. */
function at(path: string, source: string, { fields, search }: OracleInput): Json[][] {
  const dot = path.indexOf('.');
  const [head, tail] = dot === -1 ? [path, ''] : [path.slice(0, dot), path.slice(dot + 1)];
  if (source === 'events')
    return head === 'envelope' && tail !== '' ? walk(fields, tail) : walk(fields, path);
  if (head === 'search' && tail !== '') return walk(search, tail);
  return head === 'row' && tail !== '' ? walk(fields, tail) : walk(fields, path);
}

function walk(node: Json, path: string): Json[][] {
  if (Array.isArray(node)) return node.flatMap((element) => walk(element, path));
  if (typeof node !== 'object' || node === null) return [];
  const members = new Map(Object.entries(node));
  const cuts = [...path.matchAll(/\./g)].map(({ index }) => index);
  for (const cut of cuts) {
    const key = path.slice(0, cut);
    const found = members.has(key) ? walk(members.get(key), path.slice(cut + 1)) : [];
    if (found.length > 0) return found;
  }
  return members.has(path) ? [flat(members.get(path))] : [];
}

function atAll(paths: string[], source: string, input: OracleInput): Json[] {
  return paths.flatMap((path) => at(path, source, input).flat());
}

function flat(value: Json): Json[] {
  return Array.isArray(value) ? value.flat(Number.POSITIVE_INFINITY) : [value];
}

function listOf(value: Json): Json[] {
  return Array.isArray(value) ? value : [value];
}

function rankOf(value: Json): number | null {
  return typeof value === 'string' ? (ranks[value.trim().toLowerCase()] ?? null) : null;
}

function lower(text: string): string {
  return [...text].map((character) => (character === 'ς' ? 'σ' : character.toLowerCase())).join('');
}
