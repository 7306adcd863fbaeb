// How large a playbook and one of its runs may be. A document beyond a limit is refused when it is saved; a run beyond one stops.
const hour = 3_600_000;
const day = 24 * hour;

export const playbookLimits = {
  /** UTF-8 bytes of the document as JSON. */
  bytes: 64 * 1024,
  /** UTF-8 bytes of its `meta`, which is not counted among them. */
  metaBytes: 128 * 1024,
  /** Levels of objects and lists in the whole document. */
  documentDepth: 128,
  /** Steps in the whole document, those within others and compensations included. */
  steps: 200,
  /** Lists of steps within lists of steps; the playbook's own is level 1. */
  nesting: 8,
  /** Branches of parallel, items of forEach at a time, cases of switch. */
  width: 50,
  /** Rounds of a loop. */
  rounds: 1000,
  /** Shortest and longest duration, ms. */
  minDuration: 1000,
  maxDuration: 90 * day,
} as const;

export const runLimits = {
  /** Steps that one run starts, each round of a loop counted. */
  transitions: 10_000,
  /** UTF-8 bytes of what expressions see: the event and all that steps left behind. */
  contextBytes: 128 * 1024,
  /** UTF-8 bytes that expressions see of the outputs of one step; the history has more of them (`storedOutputBytes`). */
  outputBytes: 16 * 1024,
  /** UTF-8 bytes of the parameters that a change tells of. */
  shownBytes: 4 * 1024,
  /** Characters that a step keeps of why it failed, and a vote of its comment. */
  detailChars: 512,
  commentChars: 1024,
  /** Steps that are open which the whole context lists. */
  openSteps: 200,
  /** Playbooks in playbooks; the first is level 1. */
  depth: 5,
  /** Events that came before somebody waits for them: how many, how large together, and for how long, ms. */
  inboxEvents: 50,
  inboxBytes: 64 * 1024,
  inboxTtl: day,
  /** Events that a run remembers so that one that comes again counts once. */
  heard: 100,
  /** UTF-16 code units of the text that a wait looks for, with the path where it looks. */
  correlation: 1024,
  /** Inputs that the engine failed on and that `retry` applies: how many, and how large together. */
  missed: 50,
  missedBytes: 64 * 1024,
  /** Deadline of an action, a wait or an approval that says nothing, ms. */
  deadline: day,
  /** How much earlier than due a timer may come in by the clock of the log, ms; one that is earlier is set again. */
  clockTolerance: 1000,
  /** When a timer that came too early is tried again at the latest, ms. */
  clockRetry: 30_000,
  /** How long a finished run keeps its key at least, ms. */
  keep: day,
  /** Failed items of a forEach that are listed. */
  failedItems: 20,
} as const;
