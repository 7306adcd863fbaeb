// Writes one entry of a Sigma selection in the words of the rule language: grouped, one operator for values of one kind.
//
// Invariant: Sigma treats values as texts, so a number also means its text, and a text that is a number means that
// number. An operator that looks inside texts (prefix, contains, a regular expression) looks at texts only.
import { allOf, anyOf, type Clause, type FieldTest, field, not } from '../clause.ts';
import { ANY, joinParts, type SigmaText, shapeOf } from './text.ts';
import type { Item, Value } from './value.ts';

/** What an item needs to know of the place where its fields are found. */
export interface FieldNames {
  /** The path of a Sigma field. */
  path(name: string): string;
  /** The path below the whole event, for keywords. */
  readonly anywhere: string;
  /** Id of the named list for a placeholder. */
  list(placeholder: string): string;
  /** Time zone for parts of dates. */
  readonly zone: string;
}

export function itemClause(item: Item, names: FieldNames): Clause {
  const path = item.field === null ? names.anywhere : names.path(item.field);
  const values = item.field === null ? item.values.map((forms) => forms.map(asKeyword)) : item.values;
  const clause = linkedClause(path, { ...item, values }, names);
  return item.negated ? not(clause) : clause;
}

function linkedClause(path: string, { values, linking }: Item, names: FieldNames): Clause {
  if (linking === 'any') return valuesClause(path, values.flat(), names);
  const texts = values.map((forms) => containedText(forms));
  if (texts.length > 1 && texts.every((text) => text !== undefined) && path !== names.anywhere)
    return field(path, { contains_all: texts });
  return allOf(values.map((forms) => valuesClause(path, forms, names)));
}

/** A keyword is looked for within texts, wherever its wildcards stand. */
function asKeyword(value: Value): Value {
  if (value.kind === 'scalar')
    return { kind: 'text', text: keywordText([String(value.value)]), cased: false };
  return value.kind === 'text' ? { ...value, text: keywordText(value.text) } : value;
}

function keywordText(text: SigmaText): SigmaText {
  return joinParts([ANY, ...text, ANY]);
}

function containedText(forms: readonly Value[]): string | undefined {
  const [value] = forms;
  if (forms.length !== 1 || value?.kind !== 'text' || value.cased) return undefined;
  const { shape, operand } = shapeOf(value.text);
  return shape === 'contains' ? operand : undefined;
}

type Write = (operands: readonly unknown[]) => FieldTest;

/** One of the values; each group of one kind becomes one test. */
function valuesClause(path: string, values: readonly Value[], names: FieldNames): Clause {
  const groups = new Map<string, { write: Write; operands: Set<unknown> }>();
  for (const value of values) {
    const { key, operands, write } = describe(value, names);
    const group = groups.get(key) ?? { write, operands: new Set() };
    groups.set(key, group);
    for (const operand of operands) group.operands.add(operand);
  }
  return anyOf([...groups.values()].map(({ write, operands }) => field(path, write([...operands]))));
}

function describe(
  value: Value,
  names: FieldNames,
): { key: string; operands: readonly unknown[]; write: Write } {
  switch (value.kind) {
    case 'text':
      return describeText(value);
    case 'scalar':
      return { key: 'equal', operands: equalForms(value.value), write: listed };
    case 'regex':
      return describeRegex(value.source, [...value.flags].sort().join(''));
    case 'cidr':
      return named('cidr', value.network);
    case 'exists':
      return {
        key: `exists ${value.there}`,
        operands: [value.there],
        write: () => ({ exists: value.there }),
      };
    case 'compare':
      return describeBound(value.operator, value.bound);
    case 'field':
      return describeField(value, names);
    case 'date':
      return {
        ...named(value.part, value.number),
        write: (all) => ({
          [value.part]: listed(all),
          ...(names.zone === 'UTC' ? {} : { time_zone: names.zone }),
        }),
      };
    case 'list':
      return named('in_list', names.list(value.placeholder));
    default:
      return value satisfies never;
  }
}

function describeText({ text, cased }: Extract<Value, { kind: 'text' }>): ReturnType<typeof describe> {
  const { shape, operand } = shapeOf(text);
  if (shape === 'present') return { key: 'present', operands: [null], write: () => ({ not: null }) };
  if (shape === 'regex') return describeRegex(operand, cased ? 's' : 'is');
  if (shape === 'equal' && !cased) return { key: 'equal', operands: equalForms(operand), write: listed };
  const write: Write = shape === 'equal' ? listed : (all) => ({ [shape]: listed(all) });
  return cased
    ? { key: `cased ${shape}`, operands: [operand], write: (all) => ({ cased: write(all) }) }
    : { key: shape, operands: [operand], write };
}

function describeRegex(source: string, flags: string): ReturnType<typeof describe> {
  const rest = flags === '' ? {} : { flags };
  return { key: `regex ${flags}`, operands: [source], write: (all) => ({ regex: listed(all), ...rest }) };
}

/** Two bounds of one kind are never needed together: the wider one says it all. */
function describeBound(operator: 'gt' | 'gte' | 'lt' | 'lte', bound: number): ReturnType<typeof describe> {
  const widest = operator.startsWith('g') ? Math.min : Math.max;
  return { key: operator, operands: [bound], write: (all) => ({ [operator]: widest(...(all as number[])) }) };
}

function describeField(
  { name, at }: Extract<Value, { kind: 'field' }>,
  names: FieldNames,
): ReturnType<typeof describe> {
  const path = names.path(name);
  const operand = at === 'equal' ? path : { path, at };
  return { key: `field ${at} ${path}`, operands: [path], write: () => ({ field: operand }) };
}

function named(operator: string, operand: unknown): ReturnType<typeof describe> {
  return { key: operator, operands: [operand], write: (all) => ({ [operator]: listed(all) }) };
}

function listed(operands: readonly unknown[]): unknown {
  return operands.length === 1 ? operands[0] : operands;
}

/** The value in the types that Sigma does not tell apart. */
function equalForms(value: string | number | boolean | null): readonly unknown[] {
  if (value === null) return [null];
  if (typeof value !== 'string') return [value, String(value)];
  const lower = value.toLowerCase();
  if (lower === 'true' || lower === 'false') return [value, lower === 'true'];
  const number = value.trim() === '' ? Number.NaN : Number(value);
  return Number.isFinite(number) && String(number) === value ? [value, number] : [value];
}
