// The reference evaluator's own reading of the operators that look at one element.
import type { ValueList } from '@tocsin/schemas/types.ts';
import { addressIn, isWithin } from './addresses.ts';
import { boundOf, shownAt, timeOf } from './dates.ts';
import { atAll, type Fields, type Json, type ReferenceInput } from './paths.ts';
import { fitsWildcard, isFound, lower } from './texts.ts';

/** The moment that `now` means, epoch ms, and the documents of the named lists. */
export interface ReferenceContext {
  readonly now: number;
  readonly lists: ReadonlyMap<string, ValueList>;
}

/** What a condition is asked about. Within `each` the source is element, and the fields are those of the element. */
export interface Asked {
  readonly source: 'events' | 'search-results' | 'element';
  readonly input: ReferenceInput;
  readonly context: ReferenceContext;
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

export function heldByOne(
  element: Json,
  operator: string,
  operand: Json,
  kind: string,
  all: Fields,
  asked: Asked,
): boolean {
  const texts = listOf(operand).map((value) => lower(String(value)));
  const text = typeof element === 'string' ? lower(element) : null;
  const time = timeOf(element);
  switch (operator) {
    case 'in':
    case 'any':
      return listOf(operand).some((value) => same(element, value, kind));
    case 'cased':
      if (isObject(operand)) return typeof element === 'string' && isWritten(element, operand);
      return listOf(operand).some((value) => element === value);
    case 'other_than':
      return !isObject(element) && !passes(element, operand, kind, asked);
    case 'type':
      return listOf(operand).some((one) => isOfType(element, one as string));
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
    case 'wildcard':
      return (
        typeof element === 'string' && listOf(operand).some((one) => fitsWildcard(one as string, element))
      );
    case 'regex': {
      const flags = (all['flags'] ?? '') as string;
      return (
        typeof element === 'string' && listOf(operand).some((one) => isFound(one as string, flags, element))
      );
    }
    case 'cidr':
      return isInNetworks(element, listOf(operand));
    case 'in_list':
      return isListed(element, operand as string, kind, asked.context, []);
    case 'field': {
      if (isObject(operand)) return relates(text, operand, asked);
      const others = atAll([operand as string], asked.source, asked.input);
      return element !== null && others.some((other) => other !== null && same(element, other, kind));
    }
    case 'after':
      return time !== null && time >= boundOf(operand, asked.context.now);
    case 'before':
      return time !== null && time < boundOf(operand, asked.context.now);
    case 'minute':
    case 'hour':
    case 'day':
    case 'weekday':
    case 'week':
    case 'month':
    case 'year':
      return time !== null && isShown(time, operator, listOf(operand), (all['time_zone'] ?? 'UTC') as string);
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

function isObject(value: Json): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Whether one element passes what stands behind a path, all of it about this element. */
function passes(element: Json, wanted: Json, kind: string, asked: Asked): boolean {
  if (!isObject(wanted)) return listOf(wanted).some((value) => same(element, value, kind));
  return Object.entries(wanted)
    .filter(([operator]) => operator !== 'flags' && operator !== 'time_zone')
    .every(([operator, operand]) => heldByOne(element, operator, operand, kind, wanted, asked));
}

function isOfType(element: Json, type: string): boolean {
  if (type === 'value') return !isObject(element);
  if (type === 'null') return element === null;
  return element !== null && typeof element === type;
}

/** Exact case within a text. */
function isWritten(text: string, operators: Fields): boolean {
  const [[operator, operand] = ['', '']] = Object.entries(operators);
  return (listOf(operand) as string[]).some((part) =>
    operator === 'wildcard' ? fitsWildcard(part, text, (one) => one) : isPlaced(operator, text, part),
  );
}

function relates(text: string | null, { path, at: place }: Fields, asked: Asked): boolean {
  if (text === null) return false;
  return atAll([path as string], asked.source, asked.input).some(
    (other) => typeof other === 'string' && isPlaced(place as string, text, lower(other)),
  );
}

function isPlaced(place: string, text: string, part: string): boolean {
  const at = place === 'suffix' ? text.lastIndexOf(part) : text.indexOf(part);
  if (place === 'prefix') return at === 0;
  return at !== -1 && (place === 'contains' || at + part.length === text.length);
}

const week = ['', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun'];

function isShown(time: number, part: string, wanted: Json[], zone: string): boolean {
  const shown = shownAt(time, zone)[part];
  return wanted.some((one) =>
    typeof one === 'string' ? week.indexOf(one.toLowerCase().slice(0, 3)) === shown : one === shown,
  );
}

function isInNetworks(element: Json, networks: Json[]): boolean {
  const address = typeof element === 'string' ? addressIn(element) : null;
  return address !== null && networks.some((network) => isWithin(address, network as string));
}

// A list and those it includes; one that does not exist has no values.
function isListed(
  element: Json,
  id: string,
  kind: string,
  context: ReferenceContext,
  way: string[],
): boolean {
  const list = context.lists.get(id);
  if (list === undefined || way.includes(id)) return false;
  const { values = [], include = [], comparison = 'text' } = list;
  const own = (): boolean => {
    if (kind === 'id') return values.some((value) => same(element, value, 'id'));
    if (comparison === 'cidr') return isInNetworks(element, values);
    if (comparison === 'number' || comparison === 'exact') return values.some((value) => value === element);
    return values.some((value) => same(element, value, comparison === 'identifier' ? 'id' : 'text'));
  };
  return own() || include.some((next) => isListed(element, next, kind, context, [...way, id]));
}

export function same(element: Json, value: Json, kind: string): boolean {
  if (value === null) return element === null;
  if (typeof element === 'object') return false;
  if (kind === 'severity') return rankOf(element) !== null && rankOf(element) === rankOf(value);
  if (typeof element !== typeof value) return false;
  if (typeof element !== 'string' || typeof value !== 'string') return kind !== 'id' && element === value;
  return kind === 'id'
    ? element.trim().toUpperCase() === value.trim().toUpperCase()
    : lower(element) === lower(value);
}

export function listOf(value: Json): Json[] {
  return Array.isArray(value) ? value : [value];
}

export function rankOf(value: Json): number | null {
  return typeof value === 'string' ? (ranks[value.trim().toLowerCase()] ?? null) : null;
}
