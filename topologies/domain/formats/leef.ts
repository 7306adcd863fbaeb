// IBM QRadar's Log Event Extended Format 2.0: LEEF:2.0|vendor|product|version|event id|delimiter|key=value<delimiter>key=value
//
// Invariant: LEEF has no escapes, so what would end a field is taken out of its value: pipes of the header, the delimiter and line ends.
// Source: IBM, "QRadar Log Event Extended Format (LEEF) Guide", "LEEF event components" and "Predefined LEEF event attributes".
import { cutText, oneLine } from './one-line.ts';

export const leefHeaderLimit = 255;

/** One header field; a pipe becomes a space. */
export function leefHeader(text: string, max: number = leefHeaderLimit): string {
  return cutText(oneLine(text).replaceAll('|', ' '), max);
}

/** One attribute value of at most `max` characters; the delimiter becomes a space, or an underscore where it is a space itself. */
export function leefValue(text: string, max: number, delimiter: string): string {
  return cutText(oneLine(text).replaceAll(delimiter, delimiter === ' ' ? '_' : ' '), max);
}

/** The character that a delimiter setting means: itself, or the one with that code for `x09`, `0x09`; null when it means none. */
export function leefDelimiter(setting: string): string | null {
  const hex = /^0?x([0-9a-f]{1,4})$/i.exec(setting)?.[1];
  const char = hex === undefined ? setting : String.fromCharCode(Number.parseInt(hex, 16));
  // Nothing that attributes are made of, that ends the header or the line, or that is half a character.
  return char.length !== 1 || /[\w=|\r\n\0\\.:-]|[\ud800-\udfff]/.test(char) ? null : char;
}

/** By rank of the severity; LEEF's `sev` runs from 1 to 10. */
export const leefSeverities = [1, 3, 5, 7, 9] as const;
