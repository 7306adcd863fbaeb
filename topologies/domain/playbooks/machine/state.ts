// The state of one run: JSON, small, and all that a run needs to go on besides its playbook's revision and the next input.
//
// Invariant: a run that is live and not paused has something open that an input ends: a command with its deadline, a wait with its
// timer, or a step that an operator looks at.
import type { RunInput, Source } from '@tocsin/schemas/types.ts';
import type { FoldEffect, FoldMoment } from '../../../run/fold/fold.ts';
import type { CommandTypes } from '../../action/define-action.ts';
import type { Json } from '../../action/outcome.ts';
import type { Definitions, Program } from '../program.ts';

export type RunStatus = 'running' | 'incident' | 'compensating' | 'completed' | 'failed' | 'cancelled';

export type StepStatus = 'succeeded' | 'skipped' | 'failed' | 'rejected' | 'expired' | 'cancelled' | 'left';

/** What expressions see of a step: the last time it ended, or was started. */
export interface StepFact {
  readonly status: StepStatus | 'running';
  readonly outputs?: Json;
  /** Epoch ms. */
  readonly at: number;
  /** Epoch ms of its start, its delay not counted. */
  readonly started_at?: number;
  readonly code?: string;
  /** Why it failed, for people. */
  readonly detail?: string;
  readonly command_id?: string;
  /** Try that it ended with, when there was more than one. */
  readonly tries?: number;
  /** Who decided, of an approval. */
  readonly votes?: readonly Vote[];
}

export interface Vote {
  readonly actor: string;
  readonly verdict: 'approve' | 'reject';
  /** Epoch ms. */
  readonly at?: number;
  readonly comment?: string;
}

/** One step that has begun and not ended. */
export interface Node {
  /**
   * delayed: before its start. held: would go on, but the run is paused. running: its command or child run or list of steps is at
   * work. retrying: before its next try. waiting: for an event. open: for decisions. handling: its onError or onReject is at work.
   */
  s: 'delayed' | 'held' | 'running' | 'retrying' | 'waiting' | 'open' | 'handling' | 'incident';
  /** Grows whenever it starts or stops to wait for something. */
  e: number;
  /** Key of the list that it is in; '!' for a compensation. */
  l: string;
  /** Epoch ms of its start, its delay not counted. */
  at: number;
  /** Try of the step. */
  try?: number;
  /** What is done when the pause ends. */
  then?: 'begin' | 'execute';
  command?: string;
  /** Of a compensation: item and round of the step that it undoes. */
  loop?: { item?: Json; index?: number };
  child?: string;
  /** Timers by purpose: epoch ms. */
  due?: Record<string, number>;
  code?: string;
  detail?: string;
  /** Status to end with when the list of onError or onReject is done. */
  ending?: StepStatus;
  /** Of a wait: the text that it looks for, and the key under which the correlator knows of it. */
  correlate?: string;
  listens?: string;
  /** Of an approval. */
  votes?: Vote[];
  added?: string[];
  delegates?: Record<string, string>;
  digest?: string;
  covered?: Record<string, string>;
  /** Of loops and branches: lists at work, the next one, how many there are, ended well, failed. */
  live?: number;
  next?: number;
  total?: number;
  ok?: number;
  bad?: number[];
  badCount?: number;
  items?: Json[];
}

/** Where a list of steps is. */
export interface Cursor {
  /** Path of the list. */
  readonly p: string;
  /** Iteration: numbers of the rounds of the loops around it. */
  readonly it: string;
  /** Place of the step that it belongs to; null for the run itself. */
  readonly o: string | null;
  /** Index of the next or current step. */
  i: number;
  /** Times that a goto went back in it. */
  r: number;
  /** End of the step before, epoch ms. */
  at: number;
  /** The next step waits for the end of the pause. */
  held?: boolean;
  /** Round of the loop that it is the body of. */
  readonly n?: number;
}

export interface InboxEvent {
  readonly correlation: string;
  readonly event: Readonly<Record<string, unknown>>;
  readonly until: number;
}

export interface RunState {
  readonly v: 1;
  /** Number of the run under its key: grows, and never comes again. */
  readonly run: number;
  readonly playbook: string;
  readonly revision: number;
  status: RunStatus;
  paused?: { at: number; by: string; extend?: boolean } | undefined;
  readonly by: string;
  readonly started_at: number;
  ended_at?: number;
  reason?: string;
  readonly tenant?: string;
  readonly hops: number;
  readonly depth: number;
  readonly parent?: { readonly key: string; readonly token: string };
  /** Its commands are rendered and checked, nothing is sent. */
  readonly dry_run?: true;
  source?: Source;
  event?: Readonly<Record<string, unknown>>;
  params?: Readonly<Record<string, unknown>>;
  vars: Record<string, Json>;
  /** By step id. */
  steps: Record<string, StepFact>;
  /** By place. */
  nodes: Record<string, Node>;
  /** By `path#iteration`. */
  lists: Record<string, Cursor>;
  inbox: InboxEvent[];
  /** Digests of the last events that came, so that one that comes again counts once. */
  heard?: string[];
  /** Places whose compensation runs when the run fails, in the order in which they were done. */
  undo: { place: string; item?: Json; index?: number }[];
  /** By step id: digest that was approved. */
  approved: Record<string, string>;
  /** Times that a goto went back, by its JSON Pointer and the list. */
  gotos: Record<string, number>;
  ending?: 'failed' | 'cancelled';
  /** An input that the engine failed on; `retry` takes it away. */
  fault?: { readonly input: string; readonly error: string; readonly at: number };
  /** Inputs that the engine failed on, for `retry`. */
  missed?: RunInput[];
  transitions: number;
  /** UTF-8 bytes of event, params, vars, outputs and items. */
  bytes: number;
  /** Starts that came while it was live. */
  attached?: number;
  /** End of the run by limits.duration, epoch ms. */
  duration?: number;
  /** Of a run that is over: starts before this moment are ignored. */
  until?: number;
}

/** One line of the history of a run. */
export interface RunChange {
  readonly what:
    | 'run'
    | 'step'
    | 'command'
    | 'branch'
    | 'timer'
    | 'vote'
    | 'event'
    | 'goto'
    | 'ignored'
    | 'operator'
    | 'note';
  readonly place?: string;
  readonly step?: string;
  readonly status?: string;
  readonly [fact: string]: unknown;
}

/** A step in the making: everything of one input. */
export interface Draft {
  readonly state: RunState;
  readonly program: Program;
  readonly moment: FoldMoment;
  readonly definitions: Definitions;
  readonly runsTopic: string;
  /** Types that commands may have; all without it. */
  readonly commandTypes?: CommandTypes;
  readonly effects: FoldEffect[];
  readonly changes: RunChange[];
  /** Keys of lists whose next step starts, in order. */
  readonly agenda: string[];
}

export function isOver(status: RunStatus): boolean {
  return status === 'completed' || status === 'failed' || status === 'cancelled';
}
