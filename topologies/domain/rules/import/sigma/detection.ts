// The detection of a Sigma rule as one clause: its selections, joined as the condition says.
//
// Source: Sigma rules specification, "Detection" and "Condition". A map holds when all entries do, a list of maps when one
// map does, a list of texts (keywords) when one text is found anywhere in the event.
import { allOf, anyOf, type Clause, not } from '../clause.ts';
import { ImportRefusal, isMap, pointer } from '../imported.ts';
import { type Expression, readExpression } from './expression.ts';
import { maxValues, readItem } from './item.ts';
import { type FieldNames, itemClause } from './item-clause.ts';

type Selections = ReadonlyMap<string, Clause>;

export interface Detection {
  readonly clause: Clause;
  /** Selections that the condition does not use. */
  readonly unused: readonly string[];
}

/** Refuses with the place of the fault. */
export function readDetection(content: unknown, names: FieldNames): Detection {
  if (!isMap(content)) throw new ImportRefusal('/detection', 'must be a map of selections and a condition');
  const { condition, timeframe, ...definitions } = content;
  if (timeframe !== undefined)
    throw new ImportRefusal('/detection/timeframe', 'belongs to aggregations, and rules look at one event');
  if (condition === undefined) throw new ImportRefusal('/detection/condition', 'is missing');
  const selections = new Map(
    Object.entries(definitions).map(([name, definition]): [string, Clause] => {
      const path = `/detection${pointer(name)}`;
      return [name, selectionClause(definition, names, path, 0)];
    }),
  );
  if (selections.size === 0) throw new ImportRefusal('/detection', 'has no selection');
  const used = new Set<string>();
  const conditions = Array.isArray(condition) ? condition : [condition];
  if (conditions.length === 0) throw new ImportRefusal('/detection/condition', 'is an empty list');
  const clauses = conditions.map((source, index) => {
    const path = Array.isArray(condition) ? `/detection/condition/${index}` : '/detection/condition';
    if (typeof source !== 'string') throw new ImportRefusal(path, 'must be a text');
    return expressionClause(readExpression(source, path), selections, used, path);
  });
  const unused = [...selections.keys()].filter((name) => !used.has(name));
  return { clause: anyOf(clauses), unused };
}

/** Lists of maps may hold lists again; deeper than that no rule is written. */
const maxDepth = 8;

function selectionClause(content: unknown, names: FieldNames, path: string, depth: number): Clause {
  if (depth > maxDepth) throw new ImportRefusal(path, `lists in a selection nest to ${maxDepth} levels`);
  if (isMap(content)) {
    const entries = Object.entries(content);
    if (entries.length === 0) throw new ImportRefusal(path, 'is empty');
    return allOf(entries.map(([key, value]) => itemClause(readItem(key, value, path + pointer(key)), names)));
  }
  if (!Array.isArray(content)) return itemClause(readItem('', content, path), names);
  if (content.length === 0) throw new ImportRefusal(path, 'is empty');
  if (content.length > maxValues) throw new ImportRefusal(path, `a list has at most ${maxValues} values`);
  if (!content.some((entry) => typeof entry === 'object' && entry !== null))
    return itemClause(readItem('', content, path), names);
  return anyOf(content.map((entry, index) => selectionClause(entry, names, `${path}/${index}`, depth + 1)));
}

function expressionClause(
  expression: Expression,
  selections: Selections,
  used: Set<string>,
  path: string,
): Clause {
  switch (expression.kind) {
    case 'selection': {
      const clause = selections.get(expression.name);
      if (clause === undefined)
        throw new ImportRefusal(path, `there is no selection ${JSON.stringify(expression.name)}`);
      used.add(expression.name);
      return clause;
    }
    case 'of': {
      const chosen = namesLike(expression.pattern, [...selections.keys()]);
      if (chosen.length === 0)
        throw new ImportRefusal(path, `no selection fits ${JSON.stringify(expression.pattern)}`);
      for (const name of chosen) used.add(name);
      const clauses = chosen.map((name) => selections.get(name) as Clause);
      return expression.quantifier === 'all' ? allOf(clauses) : anyOf(clauses);
    }
    case 'not':
      return not(expressionClause(expression.of, selections, used, path));
    default: {
      const clauses = expression.of.map((part) => expressionClause(part, selections, used, path));
      return expression.kind === 'all' ? allOf(clauses) : anyOf(clauses);
    }
  }
}

/** Names that start with an underscore are meant only by patterns that do too. */
function namesLike(pattern: string, all: readonly string[]): string[] {
  const open = all.filter((name) => pattern.startsWith('_') || !name.startsWith('_'));
  if (pattern === 'them') return open;
  const parts = pattern.split('*');
  return open.filter((name) => fits(name, parts));
}

/** Whether a text is made of the parts in this order, with anything between them. Linear, unlike a regular expression. */
function fits(text: string, parts: readonly string[]): boolean {
  const [first = '', ...rest] = parts;
  const last = rest.pop();
  if (last === undefined) return text === first;
  if (!text.startsWith(first)) return false;
  let from = first.length;
  for (const part of rest) {
    const at = text.indexOf(part, from);
    if (at === -1) return false;
    from = at + part.length;
  }
  return text.length - last.length >= from && text.endsWith(last);
}
