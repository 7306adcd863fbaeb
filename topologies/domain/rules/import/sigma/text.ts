// Texts of Sigma with their wildcards: read into parts, and told apart by where the wildcards stand.
//
// Source: Sigma rules specification, "String Wildcard" and "Escaping". A backslash escapes `*`, `?` and itself, and is
// a plain character before anything else.

import { limits } from '../../limits.ts';
import { escapeRegex } from '../imported.ts';

/** `*`: any characters, none included. `?`: exactly one character. */
export type TextPart = string | typeof ANY | typeof ONE;
export const ANY = Symbol('*');
export const ONE = Symbol('?');

/** Literal parts are never empty and never stand beside each other; neither does `*`. */
export type SigmaText = readonly TextPart[];

export function readText(source: string): SigmaText {
  const parts: TextPart[] = [];
  for (let at = 0; at < source.length; at++) {
    const character = source[at] as string;
    const next = source[at + 1];
    if (character === '\\' && (next === '*' || next === '?' || next === '\\')) {
      parts.push(next);
      at += 1;
    } else parts.push(character === '*' ? ANY : character === '?' ? ONE : character);
  }
  return joinParts(parts);
}

export function joinParts(parts: readonly TextPart[]): SigmaText {
  const joined: TextPart[] = [];
  for (const part of parts) {
    const last = joined.at(-1);
    if (part === '' || (part === ANY && last === ANY)) continue;
    if (typeof part === 'string' && typeof last === 'string') joined[joined.length - 1] = last + part;
    else joined.push(part);
  }
  return joined;
}

/** The text when it has no wildcard. */
export function literalOf(text: SigmaText): string | undefined {
  if (text.length === 0) return '';
  const [only] = text;
  return text.length === 1 && typeof only === 'string' ? only : undefined;
}

export function mapLiterals(text: SigmaText, change: (literal: string) => string): SigmaText {
  return text.map((part) => (typeof part === 'string' ? change(part) : part));
}

/** Written for the operator `wildcard`, whose escaping is Sigma's. */
export function writeText(text: SigmaText): string {
  return text
    .map((part) => {
      if (part === ANY) return '*';
      return part === ONE ? '?' : part.replaceAll(/\\(?=[\\*?]|$)|[*?]/g, '\\$&');
    })
    .join('');
}

/** For more stars than `wildcard` takes; `.` must take line ends. */
function writeRegex(text: SigmaText): string {
  const parts = text.map((part) => {
    if (part === ANY) return '.*';
    return part === ONE ? '.' : escapeRegex(part);
  });
  return `^${parts.join('')}$`.replace(/^\^\.\*/, '').replace(/\.\*\$$/, '');
}

export type Shape = 'equal' | 'prefix' | 'suffix' | 'contains' | 'wildcard' | 'regex' | 'present';

/** The simplest operator that says the same, and its operand. */
export function shapeOf(text: SigmaText): { shape: Shape; operand: string } {
  const literal = literalOf(text);
  if (literal !== undefined) return { shape: 'equal', operand: literal };
  const open = text[0] === ANY;
  const close = text.at(-1) === ANY;
  const inner = text.slice(open ? 1 : 0, close ? -1 : undefined);
  const within = literalOf(inner);
  if (text.length === 1 && open) return { shape: 'present', operand: '*' };
  if (within === undefined) {
    const stars = text.filter((part) => part === ANY).length;
    return stars > limits.stars
      ? { shape: 'regex', operand: writeRegex(text) }
      : { shape: 'wildcard', operand: writeText(text) };
  }
  return { shape: open ? (close ? 'contains' : 'suffix') : 'prefix', operand: within };
}
