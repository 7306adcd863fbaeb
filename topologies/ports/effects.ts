// The effects ledger: what was begun and what was finished per command, so that a redelivered command answers from
// its stored outcome instead of acting twice.

import type { Outcome, Progress } from '../domain/action/outcome.ts';

/** `progress`: what an attempt of the command noted last, in this round or an earlier one. */
export type EffectState =
  /** Nobody began it before, or nothing but its progress may have happened; it is now marked as begun. */
  | { readonly state: 'fresh'; readonly progress?: Progress }
  /** It was begun in this round and no outcome was stored: the effect may have happened. */
  | { readonly state: 'uncertain'; readonly begunAt: number; readonly progress?: Progress }
  /**
   * An earlier round failed or has no outcome, and somebody asked for another one: it is now marked as begun in this round.
   * `possibleDuplicate`: the effect may have happened in an earlier round.
   */
  | { readonly state: 'reopened'; readonly possibleDuplicate: boolean; readonly progress?: Progress }
  | {
      readonly state: 'finished';
      readonly outcome: Outcome;
      /** The effect may have happened more than once before the outcome was stored. */
      readonly possibleDuplicate?: true;
    };

export interface EffectsPort {
  /**
   * Marks the command as begun at `now` (epoch ms) unless it was begun before, and says which it is. A command that failed comes
   * again in a higher round when a person or a playbook asks for that; one that succeeded is finished in every round.
   */
  begin(commandId: string, now: number, round?: number): Promise<EffectState>;
  /** Stores the final outcome of the round that was begun last. Idempotent; the first stored outcome of a round stays. */
  finish(commandId: string, outcome: Outcome, now: number, possibleDuplicate?: boolean): Promise<void>;
  /**
   * Keeps how far the command has come, with its mark, until it succeeds: whatever its attempts and rounds end with, the next begin tells.
   * Nothing where an outcome is stored.
   */
  note(commandId: string, progress: Progress, now: number): Promise<void>;
  /** Takes the mark back: the attempt is known to have had no effect beyond what it noted, a retry starts fresh. */
  release(commandId: string): Promise<void>;
}

/** Whether the effect of a failure, or of a begin without an outcome (null), may have happened all the same. */
export function mayHaveHappened(outcome: Outcome | null, possibleDuplicate: boolean): boolean {
  return possibleDuplicate || outcome === null || (outcome.status === 'failed' && outcome.uncertain === true);
}
