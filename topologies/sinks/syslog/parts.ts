// What messages are made of: literal bytes, computed parts, and fields from paths into the event.
//
// Surprise: `stop` is the one character that can stand in JSON text without a backslash and still needs care in this place; text
// without it (and without DEL) is copied byte for byte.
import type { CefKind } from '../../domain/formats/cef-keys.ts';
import { leefSeverities } from '../../domain/formats/leef.ts';

/** Text of an event as it stands in one place of a message, at most `max` characters of it. */
export type Encode = (text: string, max: number) => string;

/** Numbers from 0 are slots: indexes into `Layout.paths`. */
export const fromTime = -1;
export const fromPosition = -2;
export const fromSeverity = -3;

export type Part =
  | { readonly type: 'literal'; readonly text: string; readonly bytes: Buffer }
  /** By rank of the severity; the last entry is for events without one. */
  | { readonly type: 'by-severity'; readonly texts: readonly string[]; readonly bytes: readonly Buffer[] }
  /** Of the event, epoch ms. */
  | { readonly type: 'time'; readonly write: (ms: number) => string }
  /** Made of the event type alone. */
  | { readonly type: 'event-type'; readonly write: (type: string) => string }
  | FieldPart
  /** The event itself, white space around its tokens as spaces. */
  | { readonly type: 'whole-event' };

export interface FieldPart {
  readonly type: 'field';
  /** Between this field and the one before it in the same run of fields; nothing is written before the first. */
  readonly separator: string;
  readonly before: string;
  readonly beforeBytes: Buffer;
  readonly after: string;
  readonly afterBytes: Buffer;
  readonly slots: Int32Array;
  readonly kind: CefKind;
  readonly max: number;
  readonly encode: Encode;
  readonly stop: number;
  /** Text without a value: of the event type, unescaped. Without it the field is left out. */
  readonly otherwise?: (type: string) => string;
}

export function literal(text: string): Part {
  return { type: 'literal', text, bytes: Buffer.from(text) };
}

export function bySeverity(texts: readonly string[]): Part {
  return { type: 'by-severity', texts, bytes: texts.map((text) => Buffer.from(text)) };
}

/** A text is not made shorter than this before whole fields go. */
export const leastCharacters = 32;

/** Texts of LEEF's `sev` and of other places that want a number, by rank of the severity. */
export const severityNumbers: readonly string[] = leefSeverities.map(String);
