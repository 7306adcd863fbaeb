// An EventBridge (event-ruler) pattern as data, checked: which fields it names and what each of them may be.
//
// Source: README of github.com/aws/event-ruler and the compiler of release 2.0.1, which decides where the text is silent.
// The surprise: `$or` is read as a choice only as the compiler does: always, and then a list of two objects at least.
import { formatNetwork, maskBytes, parseAddress } from '../../address.ts';
import { ImportRefusal, isMap, pointer } from '../imported.ts';

export type Match =
  | { readonly kind: 'value'; readonly value: string | number | boolean | null }
  | {
      readonly kind: 'text';
      readonly at: 'equal' | 'prefix' | 'suffix' | 'wildcard';
      readonly text: string;
      readonly cased: boolean;
    }
  | { readonly kind: 'range'; readonly bounds: Readonly<Record<string, number>> }
  | { readonly kind: 'cidr'; readonly network: string }
  | { readonly kind: 'exists'; readonly there: boolean }
  /** Anything but every one of these. */
  | { readonly kind: 'but'; readonly matches: readonly Match[] };

export interface Leaf {
  readonly kind: 'leaf';
  readonly name: string;
  /** One of them must fit. */
  readonly matches: readonly Match[];
}

export interface Node {
  /** In the order of the text, because of two entries for one field the compiler takes the later. All must hold. */
  readonly parts: readonly Part[];
}

export type Part =
  | Leaf
  | { readonly kind: 'node'; readonly name: string; readonly node: Node }
  /** The objects of `$or`, one of which must hold; their names start where the `$or` stands. */
  | { readonly kind: 'or'; readonly of: readonly Node[] };

const maxDepth = 30;

/** Names that an object within `$or` may not have; Constants.RESERVED_FIELD_NAMES_IN_OR_RELATIONSHIP of event-ruler. */
const reservedInOr = new Set([
  ...[
    'exactly',
    'equals-ignore-case',
    'prefix',
    'suffix',
    'anything-but',
    'exists',
    'wildcard',
    'numeric',
    'cidr',
  ],
  ...['=', '<', '<=', '>', '>=', 'regex', 'not-wildcard', 'not-equals-ignore-case', 'date-after'],
  ...['date-on-or-after', 'date-before', 'date-on-or-before', 'in-date-range', 'ip-address-in-range'],
  'ip-address-not-in-range',
]);

/** Refuses with a JSON Pointer into the pattern. `path` is where the pattern stands. */
export function readPattern(content: unknown, path: string): Node {
  return readNode(content, path, 0, false);
}

function readNode(content: unknown, at: string, depth: number, inOr: boolean): Node {
  if (!isMap(content)) throw new ImportRefusal(at, 'must be an object');
  if (depth > maxDepth) throw new ImportRefusal(at, `objects nest to ${maxDepth} levels`);
  const entries = Object.entries(content);
  if (entries.length === 0) throw new ImportRefusal(at, 'an empty object is not allowed');
  const parts = entries.map(([name, below]): Part => {
    const here = at + pointer(name);
    if (name === '$or') return { kind: 'or', of: readOr(below, here, depth) };
    if (inOr && reservedInOr.has(name))
      throw new ImportRefusal(here, 'is a word of the pattern language and no name of a field within $or');
    if (Array.isArray(below)) return { kind: 'leaf', name, matches: readMatches(below, here) };
    if (isMap(below)) return { kind: 'node', name, node: readNode(below, here, depth + 1, inOr) };
    throw new ImportRefusal(here, 'must be a list of values or an object');
  });
  return { parts };
}

function readOr(content: unknown, at: string, depth: number): readonly Node[] {
  if (!Array.isArray(content)) throw new ImportRefusal(at, 'must be a list of objects');
  if (content.length < 2) throw new ImportRefusal(at, 'needs two objects at least');
  return content.map((entry, index) => readNode(entry, `${at}/${index}`, depth + 1, true));
}

function readMatches(content: readonly unknown[], at: string): readonly Match[] {
  if (content.length === 0) throw new ImportRefusal(at, 'an empty list is not allowed');
  return content.map((entry, index) => readMatch(entry, `${at}/${index}`));
}

function readMatch(entry: unknown, at: string): Match {
  if (isScalar(entry)) return { kind: 'value', value: entry };
  const [name, operand] = soleEntry(entry, at);
  const here = at + pointer(name);
  switch (name) {
    case 'exactly':
      return { kind: 'value', value: textOf(operand, here) };
    case 'prefix':
    case 'suffix':
      return isMap(operand)
        ? readText(name, ignoredCase(operand, here), false, here)
        : readText(name, operand, true, here);
    case 'wildcard':
      return readText('wildcard', operand, true, here);
    case 'equals-ignore-case':
      return readText('equal', operand, false, here);
    case 'numeric':
      return readNumeric(operand, here);
    case 'cidr':
      return { kind: 'cidr', network: readNetwork(textOf(operand, here), here) };
    case 'exists':
      if (typeof operand === 'boolean') return { kind: 'exists', there: operand };
      throw new ImportRefusal(here, 'must be true or false');
    case 'anything-but':
      return { kind: 'but', matches: readBut(operand, here) };
    default:
      throw new ImportRefusal(here, 'there is no such match type');
  }
}

function readBut(operand: unknown, at: string): readonly Match[] {
  if (isMap(operand)) {
    const [name, values] = soleEntry(operand, at);
    const here = at + pointer(name);
    const read = (value: unknown, path: string): Match => {
      if (name === 'equals-ignore-case') return readText('equal', value, false, path);
      if (name === 'wildcard') return readText('wildcard', value, true, path);
      if (name !== 'prefix' && name !== 'suffix')
        throw new ImportRefusal(here, 'anything-but takes prefix, suffix, wildcard and equals-ignore-case');
      if (value === '') throw new ImportRefusal(path, 'an empty text is not allowed here');
      return readText(name, value, true, path);
    };
    if (!Array.isArray(values)) return [read(values, here)];
    if (values.length === 0) throw new ImportRefusal(here, 'an empty list is not allowed');
    return values.map((value, index) => read(value, `${here}/${index}`));
  }
  const list = Array.isArray(operand) ? operand : [operand];
  const types = new Set(list.map((value) => typeof value));
  const [type] = types;
  if (types.size !== 1 || (type !== 'string' && type !== 'number') || !list.every(isScalar))
    throw new ImportRefusal(at, 'must be texts only or numbers only');
  return list.map((value) => ({ kind: 'value', value }));
}

function readNumeric(operand: unknown, at: string): Match {
  const refuse = (): never => {
    throw new ImportRefusal(at, 'must be ["=", 5] or a range such as [">", 0, "<=", 5]');
  };
  if (!Array.isArray(operand)) return refuse();
  const [operator, bound, second, end] = operand as unknown[];
  if (!isNumber(bound)) return refuse();
  if (operator === '=') return operand.length === 2 ? { kind: 'value', value: bound } : refuse();
  const names: Readonly<Record<string, string>> = { '>': 'gt', '>=': 'gte', '<': 'lt', '<=': 'lte' };
  const name = typeof operator === 'string' && Object.hasOwn(names, operator) ? names[operator] : undefined;
  if (name === undefined) return refuse();
  if (operand.length === 2) return { kind: 'range', bounds: { [name]: bound } };
  const upper = second === '<' ? 'lt' : second === '<=' ? 'lte' : undefined;
  if (operand.length !== 4 || upper === undefined || !name.startsWith('g') || !isNumber(end)) return refuse();
  if (bound >= end) throw new ImportRefusal(at, 'the lower end must be below the upper end');
  return { kind: 'range', bounds: { [name]: bound, [upper]: end } };
}

/** event-ruler refuses networks of a single address, and takes those with bits beyond the prefix. */
function readNetwork(network: string, at: string): string {
  const [, address = '', bits = ''] = /^([0-9a-fA-F:.]+)\/(\d{1,3})$/.exec(network) ?? [];
  const largest = address.includes(':') ? 127 : 31;
  const whole = address === '' || Number(bits) > largest ? undefined : wholeNetwork(address, Number(bits));
  if (whole !== undefined) return whole;
  throw new ImportRefusal(
    at,
    'must be a network such as 10.0.0.0/8 (at most /31) or 2001:db8::/32 (at most /127)',
  );
}

/** The network without bits beyond its prefix: 10.0.0.0/8 for 10.1.2.3/8. undefined when the address is none. */
function wholeNetwork(text: string, bits: number): string | undefined {
  const found = parseAddress(text);
  if (found === undefined) return undefined;
  const address = maskBytes(found.bytes, bits);
  const isWhole = address.every((byte, index) => byte === found.bytes[index]);
  return isWhole ? `${text}/${bits}` : formatNetwork({ family: found.family, address, bits });
}

function readText(
  at: 'equal' | 'prefix' | 'suffix' | 'wildcard',
  value: unknown,
  cased: boolean,
  path: string,
): Match {
  const text = textOf(value, path);
  if (at === 'wildcard') checkWildcard(text, path);
  return { kind: 'text', at, text, cased };
}

function checkWildcard(text: string, at: string): void {
  const unescaped = text.replaceAll(/\\[\\*]/g, 'x');
  if (unescaped.includes('\\'))
    throw new ImportRefusal(at, 'a backslash stands before * or a backslash only');
  if (unescaped.includes('**')) throw new ImportRefusal(at, 'two * must not stand side by side');
}

function ignoredCase(operand: Readonly<Record<string, unknown>>, at: string): unknown {
  const [name, value] = soleEntry(operand, at);
  if (name === 'equals-ignore-case') return value;
  throw new ImportRefusal(at, 'must be a text or {"equals-ignore-case": text}');
}

function soleEntry(content: unknown, at: string): [string, unknown] {
  const entries = isMap(content) ? Object.entries(content) : [];
  const [entry] = entries;
  if (entries.length === 1 && entry !== undefined) return entry;
  throw new ImportRefusal(
    at,
    'must be a text, a number, true, false, null, or an object with one match type',
  );
}

function textOf(value: unknown, at: string): string {
  if (typeof value === 'string') return value;
  throw new ImportRefusal(at, 'must be a text');
}

function isNumber(value: unknown): value is number {
  return typeof value === 'number' && Number.isFinite(value);
}

function isScalar(value: unknown): value is string | number | boolean | null {
  return value === null || typeof value === 'string' || typeof value === 'boolean' || isNumber(value);
}
