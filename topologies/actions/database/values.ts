// Turns the value of a field into the text that a column takes, or says why it cannot.
//
// Invariant: what is not exact is refused here, before the server would round, cut or reinterpret it. Times go out in UTC: a column
// without a zone would drop the offset in silence (PostgreSQL manual 8.5.1.3).
import type { Json } from '../../domain/action/outcome.ts';
import { readInstant } from '../../domain/rules/instant.ts';
import type { ColumnShape } from '../../ports/database.ts';
import type { Dialect } from './dialects.ts';

/** The text, null for NULL, or a problem in words that follow the name of the column and hold no value. */
export type Converted = string | null | { readonly problem: string };

/** `column` is null when nothing is known of the table, as in a dry run. */
export function toColumn(value: Json, column: ColumnShape | null, dialect: Dialect): Converted {
  if (value === null) return null;
  // PostgreSQL has no such character in any type (manual 8.3).
  if (dialect.family === 'postgres' && holdsNul(value))
    return { problem: 'has a null character, which PostgreSQL cannot store' };
  const kind = column?.kind ?? 'text';
  if (kind === 'json') return JSON.stringify(value);
  if (kind === 'array') return arrayText(value);
  if (kind === 'text') return textFor(plainText(value), column, dialect);
  if (typeof value === 'object') return { problem: `takes no list or object (${kind})` };
  if (kind === 'integer') return integerText(value);
  if (kind === 'number') return numberText(value);
  if (kind === 'boolean') return booleanText(value, dialect);
  if (kind === 'timestamp' || kind === 'timestamptz' || kind === 'date')
    return timeText(value, kind, column?.maxLength ?? 6, dialect);
  return String(value);
}

function plainText(value: Json): string {
  return typeof value === 'object' ? JSON.stringify(value) : String(value);
}

function textFor(text: string, column: ColumnShape | null, dialect: Dialect): Converted {
  const { maxLength = null, maxBytes = null } = column ?? {};
  if (maxLength !== null && text.length > maxLength) {
    const length = dialect.family === 'sqlserver' ? text.length : [...text].length;
    if (length > maxLength) return { problem: `takes ${maxLength} characters, and the text has ${length}` };
  }
  const bytes = maxBytes === null ? 0 : Buffer.byteLength(text);
  if (maxBytes !== null && bytes > maxBytes)
    return { problem: `takes ${maxBytes} bytes, and the text has ${bytes}` };
  return text;
}

function integerText(value: string | number | boolean): Converted {
  if (typeof value === 'boolean') return value ? '1' : '0';
  if (typeof value === 'number')
    return Number.isInteger(value) ? BigInt(value).toString() : { problem: 'takes whole numbers only' };
  return /^[+-]?\d{1,40}$/.test(value.trim()) ? value.trim() : { problem: 'takes whole numbers only' };
}

function numberText(value: string | number | boolean): Converted {
  if (typeof value === 'boolean') return value ? '1' : '0';
  const text = String(value).trim();
  return /^[+-]?(\d+(\.\d*)?|\.\d+)(e[+-]?\d{1,4})?$/i.test(text) && text.length <= 400
    ? text
    : { problem: 'takes numbers only' };
}

function booleanText(value: string | number | boolean, dialect: Dialect): Converted {
  const text = String(value).trim().toLowerCase();
  if (text !== 'true' && text !== 'false' && text !== '1' && text !== '0')
    return { problem: 'takes true or false only' };
  const yes = text === 'true' || text === '1';
  return dialect.family === 'postgres' ? String(yes) : yes ? '1' : '0';
}

function timeText(
  value: string | number | boolean,
  kind: 'timestamp' | 'timestamptz' | 'date',
  digits: number,
  dialect: Dialect,
): Converted {
  const at = readInstant(typeof value === 'string' ? value.trim() : value);
  const iso = at === undefined ? '' : new Date(Math.floor(at)).toISOString();
  if (!/^\d{4}-/.test(iso)) return { problem: 'takes a time such as 2026-04-28T12:00:00Z only' };
  if (kind === 'date') return iso.slice(0, 10);
  const given = typeof value === 'string' ? /:\d\d[.,](\d+)/.exec(value)?.[1] : undefined;
  const fraction = (given ?? iso.slice(20, 23)).slice(0, digits).replace(/0+$/, '');
  const seconds = iso.slice(0, 19).replace('T', dialect.family === 'sqlserver' ? 'T' : ' ');
  return `${seconds}${fraction === '' ? '' : `.${fraction}`}${kind === 'timestamptz' ? '+00:00' : ''}`;
}

// PostgreSQL manual 8.15.2: every element quoted, backslash before quotes and backslashes.
function arrayText(value: Json): Converted {
  if (!Array.isArray(value)) return { problem: 'takes a list only' };
  const parts: string[] = [];
  for (const item of value as readonly Json[]) {
    if (item !== null && typeof item === 'object') return { problem: 'takes a list of plain values only' };
    parts.push(item === null ? 'NULL' : `"${String(item).replace(/["\\]/g, '\\$&')}"`);
  }
  return `{${parts.join(',')}}`;
}

function holdsNul(value: Json): boolean {
  if (typeof value === 'string') return value.includes('\u0000');
  if (value === null || typeof value !== 'object') return false;
  return Object.entries(value).some(([name, item]) => name.includes('\u0000') || holdsNul(item as Json));
}
