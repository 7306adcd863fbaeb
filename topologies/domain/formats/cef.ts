// ArcSight Common Event Format: escapes, lengths and severities of one line.
//
// Invariant: in a header field `\` and `|` are escaped and nothing breaks the line; in an extension value `\` and `=` are, line ends are
// the two characters `\n` or `\r`, and a pipe stays as it is. A value is shortened before it is escaped, never within an escape.
// Source: OpenText "ArcSight Common Event Format (CEF) Implementation Standard", version 27, chapters 1 and 2.
import type { severities } from '../rules/severity.ts';
import { cutText, oneLine, plainLines } from './one-line.ts';

/** Most characters of the header fields. */
export const cefHeaderLimits = {
  vendor: 63,
  product: 63,
  version: 31,
  eventClass: 1023,
  name: 512,
} as const;

// Nothing that any place of a line escapes or replaces.
const plain = /^[ !-<>-[\]-{}~]*$/;

/** One header field of at most `max` characters. */
export function cefHeader(text: string, max: number): string {
  // One look at most values is enough.
  if (text.length <= max && plain.test(text)) return text;
  return cutText(oneLine(text), max).replace(/[\\|]/g, '\\$&');
}

/** One extension value of at most `max` characters before escapes. */
export function cefValue(text: string, max: number): string {
  if (text.length <= max && plain.test(text)) return text;
  return cutText(plainLines(text), max)
    .replace(/[\\=]/g, '\\$&')
    .replaceAll('\n', '\\n')
    .replaceAll('\r', '\\r');
}

/** By rank of the severity: informational 1, low 3, medium 5, high 7, critical 9; each inside its band (0-3, 4-6, 7-8, 9-10). */
export const cefSeverities = [1, 3, 5, 7, 9] as const satisfies {
  readonly length: (typeof severities)['length'];
};

/** Of events that carry no severity: the low end of the band Low. */
export const cefUnrated = 0;
