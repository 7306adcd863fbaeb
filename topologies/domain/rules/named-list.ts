// Named lists: documents of the kind list become what `in_list` asks.
//
// Invariant: no rule holds a list, so a changed list is another value at the next question and no rule is touched.
// The surprise: lists that cannot be used (a cycle, another comparison, a value that is none) are left out as a whole,
// and in_list of them holds for nothing; their problems are reported.
import { checkDocument, type Issue } from '@tocsin/schemas/codecs/validate.ts';
import type { ValueList } from '@tocsin/schemas/types.ts';
import { type Address, type Network, parseNetwork, readAddress } from './address.ts';
import { comparableElement, comparableValue } from './comparison.ts';
import type { ListComparison, NamedList } from './context.ts';
import { limits } from './limits.ts';
import { createNetworkSet } from './networks.ts';

export type ListSource = { get(id: string): ValueList | undefined };

export interface NamedLists {
  readonly lists: ReadonlyMap<string, NamedList>;
  /** Issues of the documents that are left out, by id. */
  readonly problems: ReadonlyMap<string, readonly Issue[]>;
}

/** Every list that can be used, with all that it includes. Work is done once per document object. */
export function buildNamedLists(documents: ReadonlyMap<string, ValueList>): NamedLists {
  const lists = new Map<string, NamedList>();
  const problems = new Map<string, readonly Issue[]>();
  for (const [id, document] of documents) {
    const issues = checkList(document, documents);
    if (issues.length > 0) problems.set(id, issues);
    else lists.set(id, unite(document, documents));
  }
  return { lists, problems };
}

/** Every reason why a list cannot be used; `others` are the lists that exist, this one in its old form or not among them. */
export function checkList(document: unknown, others: ListSource): Issue[] {
  const own = checkValues(document);
  return own.length > 0 ? own : checkIncludes(document as ValueList, others);
}

// A document that was checked is not checked again: lists are large, and one that changes changes no other.
const checked = new WeakMap<object, Issue[]>();

function checkValues(document: unknown): Issue[] {
  if (typeof document !== 'object' || document === null) return checkDocument('list.json', document);
  const held = checked.get(document) ?? valueIssues(document);
  checked.set(document, held);
  return held;
}

function valueIssues(document: object): Issue[] {
  const issues = checkDocument('list.json', document);
  if (issues.length > 0) return issues;
  const { values = [], comparison = 'text' } = document as ValueList;
  if (Buffer.byteLength(JSON.stringify(values)) > limits.listBytes)
    return [
      {
        path: '/values',
        message: `have at most ${limits.listBytes} bytes; split them into lists that this one includes`,
      },
    ];
  return values.flatMap((value, index) => {
    const error = valueError(comparison, value);
    return error === null ? [] : [{ path: `/values/${index}`, message: error }];
  });
}

function valueError(comparison: ListComparison, value: unknown): string | null {
  if (comparison === 'number') return Number.isFinite(value) ? null : 'must be a finite number';
  if (comparison !== 'cidr') {
    const comparable = comparableValue(comparison, value);
    return typeof comparable === 'object' ? comparable.error : null;
  }
  const network = parseNetwork(typeof value === 'string' ? value : '');
  return 'error' in network ? network.error : null;
}

// Depth first, with the way that led there, so that a cycle can be shown.
function checkIncludes(root: ValueList, others: ListSource): Issue[] {
  const seen = new Set([root.id]);
  const refuse = (index: number, message: string): Issue[] => [{ path: `/include/${index}`, message }];
  const visit = (id: string, way: readonly string[]): string | null => {
    if (id === root.id || way.includes(id)) return `includes itself: ${[...way, id].join(' -> ')}`;
    if (seen.has(id)) return null;
    seen.add(id);
    if (seen.size > limits.listIncludes + 1)
      return `a list includes at most ${limits.listIncludes} others, those behind them counted`;
    const list = others.get(id);
    if (list === undefined) return `the list ${id} does not exist`;
    const [theirs, ours] = [list.comparison ?? 'text', root.comparison ?? 'text'];
    if (theirs !== ours) return `the list ${id} is compared as ${theirs}, this one as ${ours}`;
    if (checkValues(list).length > 0) return `the list ${id} cannot be used`;
    for (const next of list.include ?? []) {
      const fault = visit(next, [...way, id]);
      if (fault !== null) return fault;
    }
    return null;
  };
  for (const [index, id] of (root.include ?? []).entries()) {
    const fault = visit(id, [root.id]);
    if (fault !== null) return refuse(index, fault);
  }
  return [];
}

/** The document and everything behind it; includes are known to be free of cycles. */
function unite(document: ValueList, others: ListSource): NamedList {
  const reached = new Map<string, Values>();
  const gather = (list: ValueList): void => {
    if (reached.has(list.id)) return;
    reached.set(list.id, valuesOf(list));
    for (const id of list.include ?? []) gather(others.get(id) as ValueList);
  };
  gather(document);
  const all = [...reached.values()];
  return {
    id: document.id,
    comparison: document.comparison ?? 'text',
    size: all.reduce((sum, { size }) => sum + size, 0),
    has: (element, as) =>
      all.some((values) => (as === 'list' ? values.has(element) : values.hasIdentifier(element))),
  };
}

interface Values {
  readonly size: number;
  has(element: unknown): boolean;
  hasIdentifier(element: unknown): boolean;
}

const built = new WeakMap<ValueList, Values>();

function valuesOf(document: ValueList): Values {
  const held = built.get(document) ?? createValues(document);
  built.set(document, held);
  return held;
}

function createValues({ comparison = 'text', values = [] }: ValueList): Values {
  let identifiers: ReadonlySet<unknown> | undefined;
  const asIdentifier = comparableElement.identifier;
  const hasIdentifier = (element: unknown): boolean => {
    const value = asIdentifier(element);
    if (value === undefined) return false;
    identifiers ??= new Set(values.map(asIdentifier));
    return identifiers.has(value);
  };
  if (comparison === 'cidr') {
    const isWithin = createNetworkSet(values.map((value) => parseNetwork(String(value)) as Network));
    const has = (element: unknown): boolean => {
      const address: Address | undefined = typeof element === 'string' ? readAddress(element) : undefined;
      return address !== undefined && isWithin(address);
    };
    return { size: values.length, has, hasIdentifier };
  }
  if (comparison === 'number') {
    const numbers = new Set<unknown>(values);
    return { size: numbers.size, has: (element) => numbers.has(element), hasIdentifier };
  }
  const comparable = comparableElement[comparison];
  const wanted = new Set(values.map(comparable));
  const has = (element: unknown): boolean => {
    const value = comparable(element);
    return value !== undefined && wanted.has(value);
  };
  return { size: wanted.size, has, hasIdentifier };
}
