// Whether a text fits a wildcard pattern: each piece between two stars is taken at the first place where it fits.
//
// Invariant: the work is at most the length of the text times that of the pattern, whatever both hold. Pieces have a
// fixed number of characters, so the first place is never worse than a later one.
import type { WildcardToken } from './wildcard.ts';

type Piece = readonly Exclude<WildcardToken, '*'>[];

/** The predicate of one pattern over folded texts. */
export function compileWildcard(tokens: readonly WildcardToken[]): (text: string) => boolean {
  const pieces: Exclude<WildcardToken, '*'>[][] = [[]];
  for (const token of tokens) {
    if (token === '*') pieces.push([]);
    else pieces.at(-1)?.push(token);
  }
  const [first = [], ...others] = pieces;
  const last = others.pop();
  if (last === undefined) return (text) => endOf(first, text, 0) === text.length;
  return (text) => {
    let at = endOf(first, text, 0);
    for (const piece of others) {
      if (at === -1) return false;
      at = endOfFirst(piece, text, at);
    }
    return at !== -1 && startOf(last, text) >= at;
  };
}

/** Where the piece that starts at `from` ends; -1 when it does not fit there. */
function endOf(piece: Piece, text: string, from: number): number {
  let at = from;
  for (const token of piece) {
    if (token === '?') {
      if (at === text.length) return -1;
      at += (text.codePointAt(at) as number) > 0xffff ? 2 : 1;
    } else {
      if (!text.startsWith(token.text, at)) return -1;
      at += token.text.length;
    }
  }
  return at;
}

/** Where the piece ends when it is taken at its first place at or behind `from`; -1 when there is none. */
function endOfFirst(piece: Piece, text: string, from: number): number {
  const [head] = piece;
  if (head === undefined) return from;
  for (let at = from; at <= text.length; ) {
    if (head !== '?') {
      at = text.indexOf(head.text, at);
      if (at === -1) return -1;
    }
    const end = endOf(piece, text, at);
    if (end !== -1) return end;
    at += (text.codePointAt(at) ?? 0) > 0xffff ? 2 : 1;
  }
  return -1;
}

/** Where the piece that ends with the text starts; -1 when it does not fit there. */
function startOf(piece: Piece, text: string): number {
  let at = text.length;
  for (const token of piece.toReversed()) {
    if (token === '?') {
      if (at === 0) return -1;
      at -= at > 1 && (text.codePointAt(at - 2) as number) > 0xffff ? 2 : 1;
    } else {
      at -= token.text.length;
      if (at < 0 || !text.startsWith(token.text, at)) return -1;
    }
  }
  return at;
}
