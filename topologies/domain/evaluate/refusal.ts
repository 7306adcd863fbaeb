// What the evaluator can refuse, and what it only notes. Closed lists: they are metric labels and dead-letter reasons.
//
// Invariant: nothing that a rule called for disappears without one of these.

export const refusalReasons = {
  invalid_envelope: {
    summary: 'The event or search result lacks a required field or has one of a wrong type.',
    deadLetter: true,
  },
  loop_detected: { summary: 'The event has passed through too many actions.', deadLetter: true },
  fanout_limit: {
    summary:
      'One rule called for more commands of one action, or runs of one playbook, than one input may cause.',
    deadLetter: true,
  },
  needs_complete_run: {
    summary: 'The mode needs all rows of a run that came in several chunks.',
    deadLetter: true,
  },
  invalid_chunk: {
    summary:
      'The action needs the whole run, and the numbers of this chunk fit no run that can be put together.',
    deadLetter: true,
  },
  unknown_action: {
    summary: 'The rule names an action that does not exist, or whose type does not exist.',
    deadLetter: true,
  },
  action_disabled: { summary: 'The action is switched off.', deadLetter: false },
  unknown_playbook: {
    summary: 'The rule names a playbook that does not exist or cannot be used.',
    deadLetter: true,
  },
  playbook_disabled: { summary: 'The playbook is switched off.', deadLetter: false },
  playbook_params: {
    summary: 'Parameters that the rule gives a playbook cannot be made from this input.',
    deadLetter: true,
  },
  awaited_event_too_large: {
    summary: 'Runs may wait for the event, and it is too large for them even without its lists and objects.',
    deadLetter: true,
  },
} as const;

export type RefusalReason = keyof typeof refusalReasons;

export interface Refusal {
  readonly reason: RefusalReason;
  /** One line for people. Holds ids and counts, no values of the input. */
  readonly detail: string;
  /** The original record belongs into the dead letters, so that it can be replayed. */
  readonly deadLetter: boolean;
  readonly rule?: string;
  readonly action?: string;
  readonly playbook?: string;
  /** Commands or starts that were not produced, where that is known. */
  readonly count?: number;
}

export const noteReasons = {
  test_event: 'The event is a test and was not evaluated.',
  no_rows: 'The search result has no rows.',
  invalid_hops: 'The number of hops is no number from 0 on; taken as 0.',
  unknown_severity: 'The severity is no word of the scale; no comparison fits it.',
  invalid_cvss: 'The CVSS score is no number from 0 to 10; it is compared as it is.',
  clock_skew: 'The event time cannot be read or is more than a day away from the time of its record.',
  byte_order_mark: 'A byte order mark stood in front of the JSON; it was left out.',
  forbidden_member: 'A member named __proto__, or constructor with a prototype inside, was left out.',
  dedupe_value_missing:
    'A path of dedupe.key leads to nothing; the run is one of its own, as if the playbook had no dedupe.',
  awaited_event_reduced:
    'An event that runs wait for has more than 64 KiB; they get it without the lists and objects in its data.',
} as const;

/** A fact about an input that changes no outcome but is worth counting. */
export interface Note {
  readonly reason: keyof typeof noteReasons;
}

export function refusal(
  reason: RefusalReason,
  detail: string,
  more: Pick<Refusal, 'rule' | 'action' | 'playbook' | 'count'> = {},
): Refusal {
  return { reason, detail, deadLetter: refusalReasons[reason].deadLetter, ...more };
}
