// Which conditions of a pattern must hold for one and the same element of a list, and the patterns that must be written
// out for that.
//
// Source: event-ruler keeps, for every value it finds, the place in every list on the way, and lets only values with the
// same places hold together (ArrayMembership, StructuredFinder of release 2.0.1). `exists: false` is asked in the order of
// the field names: within the element that fields before it have chosen, and in the whole event when none has.
import { ImportRefusal } from '../imported.ts';
import type { Leaf, Node, Part } from './pattern.ts';

/** Whether the object of this name is known to be never an element of a list. */
export type IsObject = (name: string) => boolean;

/** As many ways to hold as one pattern may have. */
export const maxWays = 1_024;

interface Reading {
  /** Names that conditions share when both speak of them; null when two that hold together do. */
  readonly names: ReadonlySet<string> | null;
  readonly hasAbsence: boolean;
  /** Some object that may be an element of a list has several conditions. */
  readonly hasElement: boolean;
}

/** Whether the pattern can be written as it stands: no object or field is spoken of in two places that must agree. */
export function isPlain(node: Node, isObject: IsObject): boolean {
  const { names, hasAbsence, hasElement } = readNames(node, '', isObject);
  return names !== null && !(hasAbsence && hasElement);
}

function readNames(node: Node, prefix: string, isObject: IsObject): Reading {
  const readings = node.parts.map((part) => readPart(part, prefix, isObject));
  const inList = prefix !== '' && !isObject(prefix.slice(0, -1));
  return {
    names: union(readings, true),
    hasAbsence: readings.some(({ hasAbsence }) => hasAbsence),
    hasElement: (inList && node.parts.length > 1) || readings.some(({ hasElement }) => hasElement),
  };
}

function readPart(part: Part, prefix: string, isObject: IsObject): Reading {
  if (part.kind === 'or') {
    const readings = part.of.map((branch) => readNames(branch, prefix, isObject));
    return {
      names: union(readings, false),
      hasAbsence: readings.some(({ hasAbsence }) => hasAbsence),
      hasElement: readings.some(({ hasElement }) => hasElement),
    };
  }
  const name = prefix + part.name;
  const above = namesAbove(part.name, prefix).filter((each) => !isObject(each));
  if (part.kind === 'leaf')
    return {
      names: new Set([...above, `${name} =`]),
      hasAbsence: part.matches.some(isAbsence),
      hasElement: false,
    };
  const below = readNames(part.node, `${name}.`, isObject);
  const own = isObject(name) ? above : [...above, name];
  return { ...below, names: below.names && new Set([...own, ...below.names]) };
}

/** A name with dots speaks of the objects before each dot too. */
function namesAbove(name: string, prefix: string): string[] {
  return [...name.matchAll(/\./g)].map(({ index }) => prefix + name.slice(0, index));
}

function union(readings: readonly Reading[], apart: boolean): ReadonlySet<string> | null {
  const all = new Set<string>();
  for (const { names } of readings) {
    if (names === null || (apart && [...names].some((name) => all.has(name)))) return null;
    for (const name of names) all.add(name);
  }
  return all;
}

function isAbsence(match: Leaf['matches'][number]): boolean {
  return match.kind === 'exists' && !match.there;
}

/** Fields by their whole name that must hold together. */
type Way = ReadonlyMap<string, Leaf>;

/** Every way in which the pattern can hold, each as a plain node without `$or`; of two entries for a field the later counts. */
export function waysOf(node: Node): readonly Node[] {
  return extend([], node, '').map(arrange);
}

function extend(ways: readonly Way[], node: Node, prefix: string): readonly Way[] {
  return node.parts.reduce<readonly Way[]>((current, part) => {
    if (part.kind === 'node') return extend(current, part.node, `${prefix}${part.name}.`);
    const started = current.length === 0 ? [new Map<string, Leaf>()] : current;
    const extended =
      part.kind === 'or'
        ? part.of.flatMap((branch) => extend(started, branch, prefix))
        : separate(part, prefix + part.name).flatMap((leaf) =>
            started.map((way) => new Map(way).set(prefix + part.name, leaf)),
          );
    if (extended.length > maxWays)
      throw new ImportRefusal('', `the choices of the pattern make more than ${maxWays} combinations`);
    return extended;
  }, ways);
}

/** Absence and presence choose elements differently, so that a field below another that may be either is two ways. */
function separate(leaf: Leaf, name: string): Leaf[] {
  if (!name.includes('.')) return [leaf];
  const absent = leaf.matches.filter(isAbsence).slice(0, 1);
  const present = leaf.matches.filter((match) => !isAbsence(match));
  return [absent, present].filter(({ length }) => length > 0).map((matches) => ({ ...leaf, matches }));
}

interface Growing {
  readonly parts: Part[];
}

function arrange(way: Way): Node {
  const root: Growing = { parts: [] };
  const nodes = new Map<string, Growing>([['', root]]);
  const present: string[] = [];
  for (const name of [...way.keys()].sort(byCodeUnits)) {
    const leaf = way.get(name) as Leaf;
    if (!leaf.matches.some(isAbsence)) {
      present.push(name);
      const place = name.lastIndexOf('.');
      nodeAt(nodes, place === -1 ? '' : name.slice(0, place)).parts.push({
        ...leaf,
        name: name.slice(place + 1),
      });
      continue;
    }
    // The innermost object that a field before this one has chosen an element of.
    const chosen = namesAbove(name, '').findLast((above) =>
      present.some((other) => other.startsWith(`${above}.`)),
    );
    const home = chosen ?? '';
    nodeAt(nodes, home).parts.push({ ...leaf, name: home === '' ? name : name.slice(home.length + 1) });
  }
  return root;
}

function nodeAt(nodes: Map<string, Growing>, name: string): Growing {
  const known = nodes.get(name);
  if (known !== undefined) return known;
  const node: Growing = { parts: [] };
  nodes.set(name, node);
  const place = name.lastIndexOf('.');
  const parent = nodeAt(nodes, place === -1 ? '' : name.slice(0, place));
  parent.parts.push({ kind: 'node', name: name.slice(place + 1), node });
  return node;
}

function byCodeUnits(a: string, b: string): number {
  return a < b ? -1 : Number(a > b);
}
