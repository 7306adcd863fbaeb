// How large a rule may be. A rule beyond a limit is refused when it is saved, never cut.
export const limits = {
  /** UTF-8 bytes of the document as JSON. */
  ruleBytes: 64 * 1024,
  /** Levels of objects and lists in the whole document, so that reading it cannot exhaust the stack. */
  documentDepth: 64,
  /** Levels of any, all and not within `when`; `when` itself is level 1. */
  levels: 16,
  /** Conditions, operators and blocks in one rule. */
  nodes: 500,
  /** Values in one list. */
  values: 1000,
  /** Entries of `then`; the schema of the document says the same. */
  actions: 50,
  /** Characters of a path, and fields in it. */
  pathLength: 512,
  pathFields: 32,
} as const;
