// How large a rule may be. A rule beyond a limit is refused when it is saved, never cut.
export const limits = {
  /** UTF-8 bytes of the document as JSON. */
  ruleBytes: 64 * 1024,
  /** Levels of objects and lists in the whole document, so that reading it cannot exhaust the stack. */
  documentDepth: 64,
  /** Levels of any, all, not and each within `when`; `when` itself is level 1. */
  levels: 16,
  /** Conditions, operators and blocks in one rule. */
  nodes: 500,
  /** Values in one list of a rule; a longer one is a named list. */
  values: 10_000,
  /** Stars in one wildcard pattern. */
  stars: 3,
  /** UTF-8 bytes of one regular expression, and instructions of its program, which bound the work per character. */
  regexBytes: 1024,
  regexProgram: 1000,
  /** UTF-16 code units of a text that a regular expression looks at. */
  regexText: 65_536,
  /** Entries of `then`; the schema of the document says the same. */
  actions: 50,
  /** Characters of a path, and fields in it. */
  pathLength: 512,
  pathFields: 32,
  /** UTF-8 bytes of the values of a named list as JSON; its schema says how many they may be. */
  listBytes: 768 * 1024,
  /** Lists that a named list includes, directly and through others. */
  listIncludes: 100,
} as const;
