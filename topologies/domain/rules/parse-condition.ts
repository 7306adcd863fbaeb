// `when` of a rule, checked: a tree of blocks and of conditions over paths, or issues that name the field.
import type { Issue } from '@tocsin/schemas/codecs/validate.ts';
import type { Comparison } from './comparison.ts';
import type { Condition } from './condition.ts';
import { limits } from './limits.ts';
import type { Part } from './operators/operator.ts';
import { parseTests } from './operators/operators.ts';
import { parseAlias } from './parse-alias.ts';
import { parsePath, type RuleSource } from './path.ts';

/** The condition for `when`, or the issues; their paths are JSON Pointers below /when. */
export function parseWhen(
  when: Readonly<Record<string, unknown>>,
  source: RuleSource,
): { condition: Condition | null; issues: Issue[] } {
  const issues: Issue[] = [];
  const root = createPart('/when', when, issues);
  const condition = parseBlock(root, source, 1);
  return { condition: issues.length === 0 ? condition : null, issues };
}

function createPart(path: string, value: unknown, issues: Issue[]): Part {
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
  const create = (at: string, content: unknown, comparison: Comparison): Part => ({
    path: at,
    value: content,
    comparison,
    at: (key, below) => create(`${at}/${pointerToken(key)}`, below, comparison),
    with: (other) => create(at, content, other),
    refuse: (message) => refuse(at, message),
    count: () => count(at),
  });
  return create(path, value, 'text');
}

/** A key as a token of a JSON Pointer, RFC 6901 section 3. */
function pointerToken(key: string | number): string {
  return String(key).replaceAll('~', '~0').replaceAll('/', '~1');
}

/** All entries of an object must hold. */
function parseBlock(part: Part, source: RuleSource, level: number): Condition | null {
  if (level > limits.levels) return part.refuse(`conditions have at most ${limits.levels} levels`);
  if (!isObject(part.value)) return part.refuse('must be an object of conditions');
  const entries = Object.entries(part.value);
  if (entries.length === 0) return part.refuse('a condition is missing');
  const conditions = entries.map(([key, value]) => parseEntry(key, part.at(key, value), source, level));
  return conditions.includes(null) ? null : { kind: 'all', of: conditions as Condition[] };
}

function parseEntry(key: string, part: Part, source: RuleSource, level: number): Condition | null {
  if (key === 'any' || key === 'all') return parseBlocks(key, part, source, level);
  if (key === 'not') {
    const of = part.count() ? parseBlock(part, source, level + 1) : null;
    return of && { kind: 'not', of };
  }
  if (key === 'each') return part.refuse('the block each is not supported in this version');
  const alias = parseAlias(key, part, source);
  if (alias !== undefined) return alias;
  const path = parsePath(key, source);
  if ('error' in path) return part.refuse(path.error);
  const tests = parseTests(part);
  return tests && { kind: 'field', paths: [path], tests };
}

function parseBlocks(kind: 'any' | 'all', part: Part, source: RuleSource, level: number): Condition | null {
  if (!Array.isArray(part.value)) return part.refuse('must be a list of objects of conditions');
  if (part.value.length === 0) return part.refuse('a condition is missing');
  if (!part.count()) return null;
  const of: (Condition | null)[] = [];
  for (const [index, block] of part.value.entries()) {
    if (!part.count()) return null;
    of.push(parseBlock(part.at(index, block), source, level + 1));
  }
  return of.includes(null) ? null : { kind, of: of as Condition[] };
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
