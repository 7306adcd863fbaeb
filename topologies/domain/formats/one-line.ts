// Text that stays on its line: what log formats without an escape for a character do with that character.
//
// Invariant: the result holds no control character (C0, DEL, C1), no line or paragraph separator, no mark that turns the direction of
// what follows, and no lone surrogate; so it is one line to every reader, and one frame to a receiver that splits at line feeds.

// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for
const unwanted = /[\u0000-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]/;
// biome-ignore lint/suspicious/noControlCharactersInRegex: the same
const spaces = /\r\n|[\u0000-\u001f\u007f-\u009f\u2028\u2029]/g;
const turns = /[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/g;

/** Control characters and line ends become one space each, direction marks go, lone surrogates become U+FFFD. */
export function oneLine(text: string): string {
  if (!unwanted.test(text)) return text;
  return text.replace(spaces, ' ').replace(turns, '').toWellFormed();
}

/** Line ends of every kind as `\n`, and the rest as `oneLine`; for formats that can escape a line feed. */
export function plainLines(text: string): string {
  if (!unwanted.test(text)) return text;
  return text
    .replace(/\r\n|\u2028|\u2029/g, '\n')
    .split('\n')
    .map((line) => line.split('\r').map(oneLine).join('\r'))
    .join('\n');
}

/** The first `count` UTF-16 units, one less where that would split a character. */
export function cutText(text: string, count: number): string {
  if (text.length <= count) return text;
  const last = text.charCodeAt(count - 1);
  return text.slice(0, last >= 0xd800 && last <= 0xdbff ? count - 1 : count);
}
