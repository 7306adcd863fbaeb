// The reference evaluator's own reading of texts: case, wildcards, regular expressions.
import { RE2JS } from 're2js';

export function lower(text: string): string {
  return [...text].map((character) => (character === 'ς' ? 'σ' : character.toLowerCase())).join('');
}

/** Whether the whole text fits the pattern, by trying every length for every star. */
export function fitsWildcard(pattern: string, text: string, write = lower): boolean {
  const tokens = [...pattern.matchAll(/\\[*?\\]|[\s\S]/gu)].flatMap(([token]) =>
    token === '*' || token === '?'
      ? [token]
      : [...write(token.length === 2 && token[0] === '\\' ? token[1]! : token)].map((one) => `=${one}`),
  );
  const characters = [...write(text)];
  const tried = new Map<string, boolean>();
  const fits = (token: number, from: number): boolean => {
    if (token === tokens.length) return from === characters.length;
    const key = `${token}/${from}`;
    const held = tried.get(key);
    if (held !== undefined) return held;
    const wanted = tokens[token] as string;
    const result =
      wanted === '*'
        ? fits(token + 1, from) || (from < characters.length && fits(token, from + 1))
        : from < characters.length &&
          (wanted === '?' || wanted === `=${characters[from]}`) &&
          fits(token + 1, from + 1);
    tried.set(key, result);
    return result;
  };
  return fits(0, 0);
}

/** Whether the pattern is found in the first 65,536 code units of the text. */
export function isFound(pattern: string, flags: string, text: string): boolean {
  let bits = 0;
  if (flags.includes('i')) bits += RE2JS.CASE_INSENSITIVE;
  if (flags.includes('m')) bits += RE2JS.MULTILINE;
  if (flags.includes('s')) bits += RE2JS.DOTALL;
  return RE2JS.compile(pattern, bits).matcher(text.slice(0, 65_536)).find();
}
