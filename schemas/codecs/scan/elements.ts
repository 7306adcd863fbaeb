// What a scan reports: the elements at the wanted paths, as parallel arrays over memory that every scan reuses.
//
// Invariant: after a scan that returned `scanOk`, entries [0, count) of one slot, without those of kind `emptyList`, are
// the elements that reading the parsed document along that path gives, in document order. A slot without any entry is
// absent; a slot with only `emptyList` entries is there and empty.
// Surprise: the arrays belong to all scanners of the process together. The next scan of any of them overwrites the entries.

/** Values of `Elements.kind`. */
export const elementKind = {
  string: 0,
  number: 1,
  true: 2,
  false: 3,
  null: 4,
  /** An object stands at the path; its members may be wanted too and follow as entries of their own. */
  object: 5,
  /** Not an element: an empty list stands at the path. Says that the path is there. */
  emptyList: 6,
} as const;

/** Bits of `Elements.flags`; 0 for nearly everything. */
export const elementFlag = {
  /** A string whose raw bytes have a backslash: the bytes and the hash are not those of the text. */
  escaped: 1,
  /** A string with bytes above 0x7f: the hash folds only the ASCII letters in it. */
  nonAscii: 2,
} as const;

export interface Elements {
  /** Entries in use. */
  readonly count: number;
  /** Which path: its index in the list given to `createScanner`. */
  readonly slot: Int32Array;
  /** One of `elementKind`. */
  readonly kind: Uint8Array;
  /** Bits of `elementFlag`. */
  readonly flags: Uint8Array;
  /**
   * Raw text as byte positions in `memory`: strings without their quotes, objects from `{` to after `}`. Position 0 is the
   * first scanned byte, so `start + position` is the place in the bytes given to `scan`.
   */
  readonly start: Int32Array;
  readonly end: Int32Array;
  /** Strings: seeded hash of the raw bytes with ASCII letters in lower case, as `Scanner.hash` makes it. Others: 0. */
  readonly hash: Int32Array;
  /**
   * Entry of the nearest reported object around this one, -1 without. With `data.vulns` and `data.vulns.id` both wanted,
   * the ids of one element of the list have the entry of that element as owner: what `each` needs. Follow it
   * upwards where objects between the two are wanted as well.
   */
  readonly owner: Int32Array;
  /** Numbers: the double that JSON.parse gives. Others: undefined contents. */
  readonly value: Float64Array;
  /** The scanned document, one view for the life of the process. `memory.latin1Slice(start, end)` of ASCII is its text. */
  readonly memory: Buffer;
}

/** `Scanner.scan` returns this for a document whose elements are reported; anything else is an index of `irregularCauses`. */
export const scanOk = 0;

/**
 * Why the entries are not to be used and `parseJson` must decide, by the number that `scan` returned. Most are documents
 * that `parseJson` refuses; the rest are valid in a way that the scan does not resolve.
 */
export const irregularCauses = [
  'ok',
  /** Not one JSON object in valid UTF-8, as far as seen. */
  'syntax',
  /** Above `parseJson`'s limits: size, depth, members, bytes of a name. */
  'limit',
  /** An integer beyond 2^53 - 1, a number above 100 characters, or an exponent beyond 180. */
  'number',
  /** Two members of one object have the same name, or names with the same signature (about one in 2^32 pairs). */
  'duplicate',
  /** A member name has an escape, or is `__proto__` or `constructor`. */
  'name',
  /** A path leads into a nested object and also to a name with dots in the same object. */
  'ambiguous',
  /** More elements, or more names open at once, than the scan has room for. */
  'room',
] as const;

export interface Scanner {
  readonly elements: Elements;
  /**
   * Validates all of `bytes[start, end)` and reports the elements at the wanted paths. `scanOk` implies that `parseJson`
   * with its default limits accepts the bytes and drops nothing, and that the elements are exact. Copies the bytes; never
   * throws; time is linear in `end - start`.
   */
  scan(bytes: Uint8Array, start: number, end: number): number;
  /** The text of string entry `index`, unescaped. Allocates. */
  text(index: number): string;
  /** Hash of text given as UTF-8, the same as `Elements.hash` for a string of these bytes. */
  hash(text: Uint8Array): number;
  /** Hash of `memory[start, end)`: of prefixes and suffixes of strings just scanned. */
  hashRange(start: number, end: number): number;
}
