// Why bytes from outside are refused as JSON: a closed list, so that dead letters, counters and API answers share one vocabulary.

/** One line per reason, for generated pages. */
export const jsonReasons = {
  empty: 'No bytes, or nothing but a byte order mark.',
  too_large: 'More bytes than the limit.',
  utf8: 'Not UTF-8: an invalid sequence, or UTF-16 or UTF-32.',
  json_syntax: 'Not JSON (RFC 8259): truncated, NaN or Infinity, trailing comma, text after the value.',
  depth: 'Objects and arrays nested deeper than the limit.',
  too_many_keys: 'An object with more members than the limit.',
  key_length: 'A member name longer than the limit.',
  duplicate_key: 'The same member name twice in one object; parsers disagree about which one counts.',
  number_range:
    'A number that a double cannot hold: an integer beyond 2^53 - 1, an overflow, an underflow, or absurdly long.',
  forbidden_key: 'A member named __proto__, or constructor with a prototype inside.',
  not_object: 'Valid JSON whose top level is not an object.',
} as const;

export type JsonReason = keyof typeof jsonReasons;

/** `detail` is one line for people; it holds positions and limits, never text of the input. */
export interface JsonRefusal {
  readonly ok: false;
  readonly reason: JsonReason;
  readonly detail: string;
}
