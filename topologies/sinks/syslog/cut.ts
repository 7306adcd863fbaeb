// A message as text, shortened to a size: the longest texts first, whole fields when that is not enough, and a mark at the end.
//
// Invariant: the result has at most `maxBytes` bytes of UTF-8 (`Layout.leastBytes` fits, `open` sees to that); no character, no escape and no
// key is split, and a message that was shortened says so where its format has a place for it.
import { cutText } from '../../domain/formats/one-line.ts';
import { type FieldPart, leastCharacters } from './parts.ts';

/** One part of a message, escaped. */
export interface Piece {
  text: string;
  /** Of fields: where the text came from, so that it can be shortened before it is escaped; null for what is fixed. */
  readonly field: { readonly part: FieldPart; readonly raw: string; readonly separator: string } | null;
}

export interface Cut {
  readonly text: string;
  readonly shortened: boolean;
}

/** Joins `pieces`, at most `maxBytes` of them. */
export function cutMessage(pieces: readonly Piece[], maxBytes: number, mark: string): Cut {
  const sizes = pieces.map(bytesOf);
  let total = sizes.reduce((sum, size) => sum + size, 0);
  if (total <= maxBytes) return { text: join(pieces), shortened: false };
  const room = maxBytes - Buffer.byteLength(mark);
  const kept = [...pieces];
  while (total > room) {
    const at = longest(kept, sizes);
    if (at < 0) break;
    const piece = kept[at]!;
    const shorter = shorten(piece, sizes[at]! - (total - room));
    kept[at] = shorter;
    total += bytesOf(shorter) - sizes[at]!;
    sizes[at] = bytesOf(shorter);
  }
  for (let at = kept.length - 1; at >= 0 && total > room; at--) {
    const { field } = kept[at]!;
    if (field === null || field.part.otherwise !== undefined) continue;
    total -= sizes[at]!;
    kept[at] = { text: '', field: null };
  }
  return { text: join(kept) + mark, shortened: true };
}

function join(pieces: readonly Piece[]): string {
  return pieces.map(({ text }) => text).join('');
}

function bytesOf({ text }: Piece): number {
  return Buffer.byteLength(text);
}

/** The longest text that may still be shortened; -1 without one. */
function longest(pieces: readonly Piece[], sizes: readonly number[]): number {
  let found = -1;
  for (let at = 0; at < pieces.length; at++) {
    const { field } = pieces[at]!;
    if (field?.part.kind !== 'text' || field.raw.length <= leastCharacters) continue;
    if (found < 0 || sizes[at]! > sizes[found]!) found = at;
  }
  return found;
}

/** The piece with so much of its text as gives at most `bytes`, but not less than `leastCharacters`. */
function shorten(piece: Piece, bytes: number): Piece {
  const { part, raw, separator } = piece.field!;
  const textOf = (count: number): string => separator + place(part, part.encode(raw, count));
  // Every character has at least one byte, so that many are too many or just right.
  let [low, high] = [leastCharacters, Math.max(leastCharacters, Math.min(raw.length - 1, bytes))];
  while (low < high) {
    const middle = (low + high + 1) >>> 1;
    if (Buffer.byteLength(textOf(middle)) <= bytes) low = middle;
    else high = middle - 1;
  }
  return { text: textOf(low), field: { part, raw: cutText(raw, low), separator } };
}

/** A field as it stands in the message, without the separator. */
export function place(part: FieldPart, encoded: string): string {
  return part.before + encoded + part.after;
}
