// wildcard: a whole text fits a pattern in which `*` is any text, an empty one too, and `?` is one character (code point).
//
// Escaping is that of the Sigma specification 2.1 (section Escaping): a backslash takes the meaning from `*`, `?` or a
// backslash behind it, and is a backslash like any other before everything else.
import { fold } from '../fold.ts';
import { limits } from '../limits.ts';
import type { Operator, Part } from './operator.ts';
import { entriesOf } from './values.ts';
import { compileWildcard } from './wildcard-match.ts';

/** `*`, `?`, or a text that stands there as it is, folded and not empty. No two texts and no two stars in a row. */
export type WildcardToken = '*' | '?' | { readonly text: string };

export interface WildcardTest {
  readonly op: 'wildcard';
  /** One of them fits; each has a token. */
  readonly patterns: readonly (readonly WildcardToken[])[];
}

export const wildcardOperator: Operator<WildcardTest> = {
  parse(part) {
    if (part.comparison !== 'text') return part.refuse('this operator does not fit here');
    const patterns = entriesOf(part)?.map(parsePattern) ?? null;
    if (patterns === null || patterns.includes(null)) return null;
    return { op: 'wildcard', patterns: patterns as WildcardToken[][] };
  },
  compile({ patterns }) {
    const fitting = patterns.map(compileWildcard);
    const holds = (element: unknown): boolean => {
      if (typeof element !== 'string') return false;
      const text = fold(element);
      return fitting.some((fits) => fits(text));
    };
    return { on: 'element', holds, holdsAbsent: false };
  },
};

function parsePattern(part: Part): WildcardToken[] | null {
  if (typeof part.value !== 'string') return part.refuse('must be a string');
  if (part.value === '') return part.refuse('an empty pattern fits an empty text alone; write a value');
  // Half a character of a pattern could fit half a character of a text.
  if (!part.value.isWellFormed()) return part.refuse('must be well-formed Unicode');
  const { tokens, stars } = tokenize(part.value, fold);
  return stars > limits.stars ? part.refuse(`a wildcard has at most ${limits.stars} stars`) : tokens;
}

/** The tokens of a pattern, its texts changed by `write`. */
export function tokenize(
  pattern: string,
  write: (text: string) => string,
): { tokens: WildcardToken[]; stars: number } {
  const tokens: WildcardToken[] = [];
  let stars = 0;
  let text = '';
  const flush = (): void => {
    if (text !== '') tokens.push({ text: write(text) });
    text = '';
  };
  for (let at = 0; at < pattern.length; at++) {
    const character = pattern[at] as string;
    const next = pattern[at + 1];
    if (character === '\\' && (next === '*' || next === '?' || next === '\\')) {
      text += next;
      at += 1;
    } else if (character === '*' || character === '?') {
      flush();
      if (character === '*') stars += 1;
      if (character === '?' || tokens.at(-1) !== '*') tokens.push(character);
    } else text += character;
  }
  flush();
  return { tokens, stars };
}
