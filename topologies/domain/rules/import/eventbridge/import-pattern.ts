// One EventBridge (event-ruler) pattern as a rule of this project; or the reason why it cannot be one.
//
// Source: https://github.com/aws/event-ruler, release 2.0.1. What a pattern means is kept exactly where docs/imports.md
// names no difference: exact case, lists of objects, values that are no values.
import type { Issue } from '@tocsin/schemas/codecs/validate.ts';
import type { Rule } from '@tocsin/schemas/types.ts';
import { allOf, anyOf, type Clause } from '../clause.ts';
import { type Imported, ImportRefusal, importing, isMap } from '../imported.ts';
import { writeBlock } from '../write-when.ts';
import { isPlain, waysOf } from './arrays.ts';
import { leafClause } from './leaf-clause.ts';
import { type Node, type Part, readPattern } from './pattern.ts';

export interface PatternOptions {
  /** Where the pattern's first names are found, such as `data`; '' is the event itself. */
  readonly root: string;
  /** Names (from the top of the pattern) of objects that are never in a list, which makes rules shorter and faster. */
  readonly objects: readonly string[];
  /** What the rule does: the ids of actions. At least one. */
  readonly actions: readonly string[];
}

/** `detail` of EventBridge and `data` of our events are objects by definition. */
export const defaultPatternOptions = { root: '', objects: ['data', 'detail'] } as const;

/** A pattern with its name, as a line of a file or an answer of the EventBridge API holds it. */
export interface NamedPattern {
  readonly id: string;
  readonly pattern: unknown;
  /** Where the pattern stands in the document, as a JSON Pointer. */
  readonly path: string;
}

/** `{id, pattern}`, or `{Name, EventPattern}` of the EventBridge API, whose pattern is JSON in a text. */
export function readNamedPattern(document: unknown): NamedPattern | Issue {
  if (!isMap(document)) return { path: '', message: 'must be an object with id and pattern' };
  const aws = document['EventPattern'] !== undefined;
  const [idName, patternName] = aws ? ['Name', 'EventPattern'] : ['id', 'pattern'];
  const { [idName as string]: id, [patternName as string]: pattern } = document;
  if (typeof id !== 'string' || id === '') return { path: `/${idName}`, message: 'must be a text' };
  if (pattern === undefined) return { path: `/${patternName}`, message: 'is missing' };
  if (typeof pattern !== 'string') return { id, pattern, path: `/${patternName}` };
  try {
    return { id, pattern: JSON.parse(pattern) as unknown, path: `/${patternName}` };
  } catch {
    return { path: `/${patternName}`, message: 'is no JSON' };
  }
}

/** Never throws; faults are JSON Pointers into the document that the pattern stands in. */
export function importPattern({ id, pattern, path }: NamedPattern, options: PatternOptions): Imported {
  return importing(() => {
    const when = writeBlock(patternClause(readPattern(pattern, path), options));
    const then = options.actions.map((action) => ({ action }));
    const rule = { kind: 'rule', id: ruleId(id), name: id.slice(0, 128), when, then } as unknown as Rule;
    return { rule, notes: rule.id === id ? [] : [`the id is now ${rule.id}`] };
  });
}

function ruleId(given: string): string {
  const id = given
    .toLowerCase()
    .replaceAll(/[^a-z0-9._-]+/g, '-')
    .replaceAll(/^[^a-z0-9]+|-+$/g, '')
    .slice(0, 128);
  if (id === '') throw new ImportRefusal('/id', 'has no letter or digit to make an id of');
  return id;
}

/** How names become paths: at the top they are below the root, within an element they are as they are. */
interface Place {
  readonly write: (name: string) => string;
  /** The name from the top of the pattern of what stands here, with a dot at its end. */
  readonly prefix: string;
  readonly isObject: (name: string) => boolean;
}

function patternClause(node: Node, { root, objects }: PatternOptions): Clause {
  const isObject = (name: string): boolean => objects.includes(name);
  const place = { write: (name: string) => pathBelow(root, name), prefix: '', isObject };
  if (isPlain(node, isObject)) return nodeClause(node, '', place);
  return anyOf(waysOf(node).map((way) => nodeClause(way, '', place)));
}

const envelopeMembers = ['id', 'event', 'timestamp', 'tenant', 'hops', 'data'];

function pathBelow(root: string, name: string): string {
  if (root !== '') return `${root}.${name}`;
  const [first = ''] = name.split('.', 1);
  return envelopeMembers.includes(first) ? name : `envelope.${name}`;
}

/** `rel`: names since the top or since the element, with a dot at the end unless empty. */
function nodeClause(node: Node, rel: string, place: Place): Clause {
  return allOf(node.parts.map((part) => partClause(part, rel, place)));
}

function partClause(part: Part, rel: string, place: Place): Clause {
  if (part.kind === 'leaf') return leafClause(place.write(rel + part.name), part.matches);
  if (part.kind === 'or') return anyOf(part.of.map((branch) => nodeClause(branch, rel, place)));
  return objectClause(part.node, rel + part.name, { ...place, prefix: place.prefix + part.name });
}

/** An object that may be an element of a list: several conditions on it are about one element. */
function objectClause(node: Node, name: string, place: Place): Clause {
  const below = { ...place, prefix: `${place.prefix}.` };
  if (place.isObject(place.prefix)) return nodeClause(node, `${name}.`, below);
  const [only] = node.parts;
  if (node.parts.length > 1 || only === undefined)
    return {
      kind: 'each',
      path: place.write(name),
      of: nodeClause(node, '', { ...below, write: (inner) => inner }),
    };
  if (only.kind === 'or') return anyOf(only.of.map((branch) => objectClause(branch, name, place)));
  return partClause(only, `${name}.`, below);
}
