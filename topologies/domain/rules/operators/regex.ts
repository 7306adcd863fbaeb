// regex: an element is a text in which one of the patterns is found, in RE2 syntax and in time linear in the text.
//
// The surprise: patterns see the text as it is, capitals included, unlike every other operator; `flags: i` folds. Of a
// very long text only the beginning is looked at, and `$` holds at that cut.
import { RE2JS } from 're2js';
import { limits } from '../limits.ts';
import type { Operator, Part } from './operator.ts';
import { entriesOf } from './values.ts';

export interface RegexPattern {
  /** Found anywhere in the text unless it is anchored. */
  readonly source: string;
  /** Each of i, m, s at most once, in this order. */
  readonly flags: string;
}

/** One of the patterns is found. */
export interface RegexTest {
  readonly op: 'regex';
  readonly patterns: readonly RegexPattern[];
}

export const regexNames = ['regex', 'flags'] as const;

const flagBits: Readonly<Record<string, number>> = {
  i: RE2JS.CASE_INSENSITIVE,
  m: RE2JS.MULTILINE,
  s: RE2JS.DOTALL,
};

/** Takes the whole object of operators, because flags belong to the patterns beside them. */
export const regexOperator: Operator<RegexTest> = {
  parse(part) {
    const given = part.value as Readonly<Record<string, unknown>>;
    if (!Object.hasOwn(given, 'regex')) return part.at('flags', given['flags']).refuse('is for regex alone');
    const operand = part.at('regex', given['regex']);
    if (part.comparison !== 'text') return operand.refuse('this operator does not fit here');
    const flags = Object.hasOwn(given, 'flags') ? parseFlags(part.at('flags', given['flags'])) : '';
    if (flags === null) return null;
    const patterns = entriesOf(operand)?.map((entry) => parsePattern(entry, flags)) ?? null;
    if (patterns === null || patterns.includes(null)) return null;
    return { op: 'regex', patterns: patterns as RegexPattern[] };
  },
  compile({ patterns }) {
    const programs = patterns.map(compilePattern);
    const holds = (element: unknown): boolean => {
      if (typeof element !== 'string') return false;
      const text = element.length > limits.regexText ? element.slice(0, limits.regexText) : element;
      return programs.some((program) => program.test(text));
    };
    return { on: 'element', holds, holdsAbsent: false };
  },
};

function compilePattern({ source, flags }: RegexPattern): RE2JS {
  const bits = [...flags].reduce((sum, flag) => sum | (flagBits[flag] as number), 0);
  return RE2JS.compile(source, bits);
}

function parseFlags(part: Part): string | null {
  const { value } = part;
  if (typeof value !== 'string' || !/^[ims]*$/.test(value) || new Set(value).size < value.length)
    return part.refuse('must be letters of i (any case), m (^ and $ at lines), s (. takes line ends)');
  return [...value].sort().join('');
}

function parsePattern(part: Part, flags: string): RegexPattern | null {
  const { value } = part;
  if (typeof value !== 'string') return part.refuse('must be a string');
  if (value === '') return part.refuse('an empty pattern is in every text');
  if (Buffer.byteLength(value) > limits.regexBytes)
    return part.refuse(`a regular expression has at most ${limits.regexBytes} bytes`);
  const missing = notInRe2(value);
  if (missing !== null) return part.refuse(`${missing} is not possible in RE2 syntax`);
  const pattern = { source: value, flags };
  try {
    if (compilePattern(pattern).programSize() <= limits.regexProgram) return pattern;
    return part.refuse(`needs more than ${limits.regexProgram} instructions; make its repetitions smaller`);
  } catch (error) {
    return part.refuse(`is no regular expression: ${reasonOf(error)}`);
  }
}

// What other engines have and linear time cannot: named, because the parser's own words for them mislead.
const beyondRe2: readonly (readonly [RegExp, string])[] = [
  [/^\(\?<?[=!]/, 'lookaround'],
  [/^\\(?:[1-9]|k[<{'])|^\(\?P=/, 'a backreference'],
  [/^\(\?>/, 'an atomic group'],
  [/^\(\?\(/, 'a condition'],
];

/** The first of these in a pattern, outside of escapes, character classes and quotations. */
function notInRe2(pattern: string): string | null {
  let inClass = false;
  for (let at = 0; at < pattern.length; at++) {
    const rest = pattern.slice(at, at + 4);
    if (rest.startsWith('\\Q')) {
      const end = pattern.indexOf('\\E', at);
      if (end === -1) return null;
      at = end + 1;
      continue;
    }
    const found = inClass ? undefined : beyondRe2.find(([form]) => form.test(rest));
    if (found !== undefined) return found[1];
    if (rest.startsWith('\\')) at += 1;
    else if (rest.startsWith(']')) inClass = false;
    // A bracket that comes first in a class is a character of it.
    else if (rest.startsWith('[') && !inClass) {
      inClass = true;
      if (/^\[\^?\]/.test(rest)) at += rest[1] === '^' ? 2 : 1;
    }
  }
  return null;
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message.replace('error parsing regexp: ', '') : String(error);
}
