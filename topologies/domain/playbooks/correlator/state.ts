// The state under one correlation key: runs that wait for an event, and events that some run may still wait for. JSON, bounded.
//
// Invariant: an event names the runs that it was given to, so that none of them gets it a second time, whatever comes twice.
import type { CorrelationWait } from '@tocsin/schemas/types.ts';

/** One wait of one run. */
export interface HeldWait {
  /** Key of the run. */
  readonly run: string;
  readonly token: string;
  /** Travels back with the event. */
  readonly correlation: string;
  readonly events: CorrelationWait['events'];
  /** Epoch ms. */
  readonly until: number;
}

export interface KeptEvent {
  readonly id: string;
  readonly event: { readonly event: string; readonly [member: string]: unknown };
  /** Epoch ms. */
  readonly until: number;
  /** Runs that it was given to, `<key>.<number>`. */
  readonly given: readonly string[];
}

export interface CorrelatorState {
  readonly v: 1;
  readonly waits: readonly HeldWait[];
  /** In the order in which they came. */
  readonly events: readonly KeptEvent[];
}

/** One line of the history of a key. */
export interface CorrelatorChange {
  readonly what: 'wait' | 'done' | 'event' | 'given' | 'expired' | 'ignored' | 'note';
  readonly [fact: string]: unknown;
}

export const correlatorLimits = {
  /** Waits under one key. */
  waits: 500,
  /** Events under one key that are kept for waits to come: how many, how large together (UTF-8 bytes of the JSON), how long (ms). */
  events: 50,
  eventBytes: 128 * 1024,
  eventTtl: 86_400_000,
} as const;
