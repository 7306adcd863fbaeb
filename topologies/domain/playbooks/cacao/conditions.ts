// Conditions: those of steps as comparisons of variables, as far as that goes, and comparisons of variables as conditions.
//
// Section 4.8 wants an expression of the STIX patterning grammar; what executors evaluate are comparisons with `=` and its kin, joined by AND or
// OR. Surprise: a text here is compared whatever its case, there by its characters, so the text that comes out is narrower; the
// condition itself travels in the extension.
import type { StepCondition } from '@tocsin/schemas/types.ts';
import type { Json } from '../../action/outcome.ts';
import { isPath, variableOf } from './names.ts';

type Scalar = string | number | boolean;

const operators: Readonly<Record<string, string>> = { gt: '>', gte: '>=', lt: '<', lte: '<=' };

/** The condition as a text; null when only the extension can say it. `use` gives the variable of a path. */
export function toExpression(condition: StepCondition, use: (path: string) => string): string | null {
  const parts: string[] = [];
  for (const [path, matcher] of Object.entries(condition)) {
    const part = isPath(path) ? comparison(path, matcher, use) : null;
    if (part === null) return null;
    parts.push(part);
  }
  return parts.join(' AND ');
}

function comparison(path: string, matcher: unknown, use: (path: string) => string): string | null {
  if (isScalar(matcher)) return `${use(path)}:value = ${literal(matcher)}`;
  if (Array.isArray(matcher))
    return matcher.length > 0 && matcher.every(isScalar)
      ? `${use(path)}:value IN (${matcher.map(literal).join(', ')})`
      : null;
  if (typeof matcher !== 'object' || matcher === null) return null;
  const [[name, value] = ['', null], ...more] = Object.entries(matcher) as [string, unknown][];
  if (more.length > 0) return null;
  if (name === 'not' && isScalar(value)) return `${use(path)}:value != ${literal(value)}`;
  const operator = Object.hasOwn(operators, name) ? operators[name] : undefined;
  return operator !== undefined && typeof value === 'number'
    ? `${use(path)}:value ${operator} ${literal(value)}`
    : null;
}

function isScalar(value: unknown): value is Scalar {
  return typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean';
}

// Values of variables are texts (section 10.18), so all literals are.
function literal(value: Scalar): string {
  return `'${String(value).replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`;
}

export interface Known {
  /** Path that a variable stands for. */
  path(variable: string): string | undefined;
  /** Its type, from variable-type-ov. */
  type(variable: string): string | undefined;
}

const token =
  /\s*(?:(__[A-Za-z][A-Za-z0-9_-]{0,198}?__)(?::value)?|'((?:[^'\\]|\\.)*)'|(-?\d+(?:\.\d+)?)|(true|false)\b|(AND|OR|IN)\b|(!=|<=|>=|=|<|>)|([(),]))/iy;

interface Token {
  readonly kind: 'variable' | 'literal' | 'word' | 'operator' | 'mark';
  readonly text: string;
}

function tokensOf(text: string): Token[] | null {
  const tokens: Token[] = [];
  token.lastIndex = 0;
  const end = text.trimEnd().length;
  while (token.lastIndex < end) {
    const match = token.exec(text);
    if (match === null || tokens.length > 200) return null;
    const [, variable, quoted, number, truth, word, operator, mark] = match;
    if (variable !== undefined) tokens.push({ kind: 'variable', text: variable });
    else if (quoted !== undefined) tokens.push({ kind: 'literal', text: quoted.replace(/\\(.)/g, '$1') });
    else if (number !== undefined) tokens.push({ kind: 'literal', text: number });
    else if (truth !== undefined) tokens.push({ kind: 'literal', text: truth.toLowerCase() });
    else if (word !== undefined) tokens.push({ kind: 'word', text: word.toUpperCase() });
    else if (operator !== undefined) tokens.push({ kind: 'operator', text: operator });
    else tokens.push({ kind: 'mark', text: mark as string });
  }
  return tokens;
}

/** A comparison, or several joined by one of AND and OR; null for everything else. */
export function fromExpression(text: string, known: Known): StepCondition | null {
  const tokens = tokensOf(text);
  if (tokens === null || tokens.length === 0) return null;
  const parts: [string, unknown][] = [];
  const joins = new Set<string>();
  let at = 0;
  const next = (kind: Token['kind']): string | null => {
    const found = tokens[at];
    if (found?.kind !== kind) return null;
    at += 1;
    return found.text;
  };
  while (at < tokens.length || parts.length === 0) {
    const variable = next('variable');
    const path = variable === null ? undefined : known.path(variable);
    if (variable === null || path === undefined) return null;
    const type = known.type(variable);
    const operator = next('operator');
    if (operator !== null) {
      const value = next('literal');
      const matcher = value === null ? undefined : matcherOf(operator, value, type);
      if (matcher === undefined) return null;
      parts.push([path, matcher]);
    } else if (tokens[at]?.text === 'IN') {
      at += 1;
      const values = listAt(next);
      if (values === null) return null;
      parts.push([path, values.map((value) => exact(typed(value, type)))]);
    } else parts.push([path, true]);
    const join = next('word');
    if (join !== null) joins.add(join);
    if ((join === null) !== at >= tokens.length) return null;
  }
  if (joins.size > 1 || joins.has('IN')) return null;
  const paths = new Set(parts.map(([path]) => path));
  if (joins.has('AND') && paths.size < parts.length) return null;
  if (joins.has('OR')) return { any: parts.map(([path, matcher]) => ({ [path]: unlisted(matcher) })) };
  return Object.fromEntries(parts.map(([path, matcher]) => [path, unlisted(matcher)]));
}

function listAt(next: (kind: Token['kind']) => string | null): string[] | null {
  const values: string[] = [];
  if (next('mark') !== '(') return null;
  for (;;) {
    const value = next('literal');
    const mark = next('mark');
    if (value === null || mark === null || mark === '(') return null;
    values.push(value);
    if (mark === ')') return values;
  }
}

function matcherOf(operator: string, text: string, type: string | undefined): unknown {
  const value = typed(text, type);
  if (operator === '=') return exact(value);
  if (operator === '!=') return { not: exact(value) };
  const name = Object.keys(operators).find((one) => operators[one] === operator);
  const number = Number(text);
  return name === undefined || text === '' || !Number.isFinite(number) ? undefined : { [name]: number };
}

/** A list of exact texts is one exact list. */
function unlisted(matcher: unknown): unknown {
  if (!Array.isArray(matcher)) return matcher;
  const texts = matcher.flatMap((one) => (isExact(one) ? [one.cased] : []));
  return texts.length === matcher.length ? { cased: texts } : matcher;
}

function isExact(value: unknown): value is { cased: string } {
  return typeof value === 'object' && value !== null && 'cased' in value;
}

/** A text is compared by its characters. */
export function exact(value: Json): Json {
  return typeof value === 'string' ? { cased: value } : value;
}

/** A text value of a variable of this type; the text when it is of another. */
export function typed(text: string, type: string | undefined): Json {
  if ((type === 'bool' || type === 'boolean') && /^(true|false)$/i.test(text)) return /^true$/i.test(text);
  if (['integer', 'long', 'float'].includes(type ?? '') && /^-?\d{1,15}(\.\d{1,15})?$/.test(text))
    return Number(text);
  if (type !== 'dictionary' && type !== 'list') return text;
  try {
    return JSON.parse(text) as Json;
  } catch {
    return text;
  }
}

/** The expression of a condition; where there is none, a variable of this name that the executor has to set. */
export function expressionOf(
  condition: StepCondition,
  fallback: string,
  use: (path: string) => string,
): { readonly text: string; readonly said: boolean } {
  const text = toExpression(condition, use);
  return text === null ? { text: isTrue(fallback), said: false } : { text, said: true };
}

/** That the variable of a name holds. */
export function isTrue(name: string): string {
  return `${variableOf(name)}:value = 'true'`;
}
