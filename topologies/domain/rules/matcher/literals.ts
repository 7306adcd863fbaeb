// The longest text that everything a pattern fits must have in it.
//
// Invariant: never too much: a pattern that is not understood for certain requires nothing. A text that fits has the literal in
// its folded form.
// Surprise: with the flag i RE2 folds by Unicode, where k and s have a third form each (the Kelvin sign, the long s) that fold()
// writes otherwise; they end a literal then.
import type { RegexPattern } from '../operators/regex.ts';
import type { WildcardToken } from '../operators/wildcard.ts';

/** Longest literal of a wildcard; '' when it has none. */
export function wildcardLiteral(tokens: readonly WildcardToken[]): string {
  return longest(tokens.map((token) => (typeof token === 'string' ? '' : token.text)));
}

/** Longest literal of a regex that stands outside groups, classes and options; '' when there is none for certain. */
export function regexLiteral({ source, flags }: RegexPattern): string {
  // Inline flags, named groups and quoting change how the rest is read.
  if (source.includes('(?') || source.includes('\\Q') || /[^\x20-\x7e]/.test(source)) return '';
  const insensitive = flags.includes('i');
  const runs: string[] = [];
  let run = '';
  let depth = 0;
  const end = (): void => {
    runs.push(run);
    run = '';
  };
  for (let i = 0; i < source.length; i++) {
    let character = source[i] as string;
    let literal = false;
    if (character === '\\') {
      i += 1;
      const escaped = source[i];
      if (escaped === undefined) return '';
      // A letter or a digit after a backslash is a class, an anchor or a code.
      if (/[0-9A-Za-z]/.test(escaped)) {
        if (!/[wWdDsSbB]/.test(escaped)) return '';
      } else {
        character = escaped;
        literal = true;
      }
    } else if (character === '[') {
      const close = endOfClass(source, i);
      if (close === -1) return '';
      i = close;
    } else if (character === '(') depth += 1;
    else if (character === ')') depth -= 1;
    else if (character === '|') {
      if (depth === 0) return '';
    } else literal = !/[.*+?{}^$\]]/.test(character);
    if (depth > 0 || !literal) {
      end();
      // Only the content of {n,m} could be taken for text.
      if (character === '{' && depth === 0 && source[i] === '{') {
        const close = source.indexOf('}', i);
        if (close !== -1) i = close;
      }
      continue;
    }
    // A character that may be missing is no part of the literal; one that repeats ends it.
    const next = source[i + 1];
    if (next === '*' || next === '?' || next === '{') end();
    else if (insensitive && /[ksKS]/.test(character)) end();
    else {
      run += character.toLowerCase();
      if (next === '+') end();
    }
  }
  end();
  return longest(runs);
}

/** Place of the ] that ends the class that begins at `from`; -1 when this is not certain. */
function endOfClass(source: string, from: number): number {
  let i = from + 1;
  if (source[i] === '^') i += 1;
  if (source[i] === ']') i += 1;
  for (; i < source.length; i++) {
    if (source[i] === '\\') i += 1;
    else if (source[i] === '[' && source[i + 1] === ':') {
      const close = source.indexOf(':]', i);
      if (close === -1) return -1;
      i = close + 1;
    } else if (source[i] === ']') return i;
  }
  return -1;
}

function longest(texts: readonly string[]): string {
  return texts.reduce((best, text) => (text.length > best.length ? text : best), '');
}
