// `when` of a rule, checked: a tree of blocks and of conditions over paths, or issues that name the field.
import type { Issue } from '@tocsin/schemas/codecs/validate.ts';
import type { Comparison } from './comparison.ts';
import type { Condition } from './condition.ts';
import { limits } from './limits.ts';
import type { KnownLists, Part } from './operators/operator.ts';
import { parseTests } from './operators/operators.ts';
import { parseAlias } from './parse-alias.ts';
import { type Path, type PathScope, parsePath, type RuleSource } from './path.ts';

/** The condition for `when`, or the issues; their paths are JSON Pointers below /when. */
export function parseWhen(
  when: Readonly<Record<string, unknown>>,
  source: RuleSource | 'run',
  lists?: KnownLists,
): { condition: Condition | null; issues: Issue[] } {
  const issues: Issue[] = [];
  const root = createPart('/when', when, source, issues, lists);
  const condition = parseBlock(root, 1);
  return { condition: issues.length === 0 ? condition : null, issues };
}

function createPart(
  path: string,
  value: unknown,
  source: RuleSource | 'run',
  issues: Issue[],
  lists: KnownLists | undefined,
): Part {
  let nodes = 0;
  const refuse = (at: string, message: string): null => {
    issues.push({ path: at, message });
    return null;
  };
  const count = (at: string): boolean => {
    nodes += 1;
    if (nodes === limits.nodes + 1) refuse(at, `a rule has at most ${limits.nodes} conditions and operators`);
    return nodes <= limits.nodes;
  };
  const create = (at: string, content: unknown, comparison: Comparison, scope: PathScope): Part => ({
    path: at,
    value: content,
    comparison,
    scope,
    lists,
    at: (key, below) => create(`${at}/${pointerToken(key)}`, below, comparison, scope),
    with: (other) => create(at, content, other, scope),
    within: (other) => create(at, content, comparison, other),
    refuse: (message) => refuse(at, message),
    count: () => count(at),
  });
  return create(path, value, 'text', source);
}

/** A key as a token of a JSON Pointer, RFC 6901 section 3. */
function pointerToken(key: string | number): string {
  return String(key).replaceAll('~', '~0').replaceAll('/', '~1');
}

/** All entries of an object must hold. */
function parseBlock(part: Part, level: number): Condition | null {
  if (level > limits.levels) return part.refuse(`conditions have at most ${limits.levels} levels`);
  if (!isObject(part.value)) return part.refuse('must be an object of conditions');
  const entries = Object.entries(part.value);
  if (entries.length === 0) return part.refuse('a condition is missing');
  const conditions = entries.map(([key, value]) => parseEntry(key, part.at(key, value), level));
  return conditions.includes(null) ? null : { kind: 'all', of: conditions as Condition[] };
}

function parseEntry(key: string, part: Part, level: number): Condition | null {
  if (key === 'any' || key === 'all') return parseBlocks(key, part, level);
  if (key === 'not') {
    const of = part.count() ? parseBlock(part, level + 1) : null;
    return of && { kind: 'not', of };
  }
  if (key === 'each') return parseEach(part, level);
  const alias =
    part.scope === 'element' || part.scope === 'run' ? undefined : parseAlias(key, part, part.scope);
  if (alias !== undefined) return alias;
  const path = parsePath(key, part.scope);
  if ('error' in path) return part.refuse(path.error);
  const tests = parseTests(part);
  return tests && { kind: 'field', paths: [path], tests };
}

function parseBlocks(kind: 'any' | 'all', part: Part, level: number): Condition | null {
  if (!Array.isArray(part.value)) return part.refuse('must be a list of objects of conditions');
  if (part.value.length === 0) return part.refuse('a condition is missing');
  if (!part.count()) return null;
  const of: (Condition | null)[] = [];
  for (const [index, block] of part.value.entries()) {
    if (!part.count()) return null;
    of.push(parseBlock(part.at(index, block), level + 1));
  }
  return of.includes(null) ? null : { kind, of: of as Condition[] };
}

const eachMembers = ['path', 'match', 'quantifier'];

function parseEach(part: Part, level: number): Condition | null {
  if (!part.count()) return null;
  if (!isObject(part.value)) return part.refuse('must be an object with path and match');
  const { path: given, match, quantifier = 'any' } = part.value;
  const unknown = Object.keys(part.value).find((name) => !eachMembers.includes(name));
  if (unknown !== undefined) return part.at(unknown, null).refuse('unknown field');
  if (quantifier !== 'any' && quantifier !== 'all')
    return part.at('quantifier', quantifier).refuse('must be one of any, all');
  const paths = parseEachPaths(part.at('path', given));
  if (match === undefined) return part.at('match', match).refuse('is required');
  const of = parseBlock(part.at('match', match).within('element'), level + 1);
  return paths && of && { kind: 'each', paths, quantifier, of };
}

function parseEachPaths(part: Part): Path[] | null {
  if (typeof part.value !== 'string')
    return part.refuse(part.value === undefined ? 'is required' : 'must be a path');
  const path = parsePath(part.value, part.scope);
  return 'error' in path ? part.refuse(path.error) : [path];
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
