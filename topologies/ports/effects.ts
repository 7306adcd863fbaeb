// The effects ledger: what was begun and what was finished per command, so that a redelivered command answers from
// its stored outcome instead of acting twice.

import type { Outcome } from '../domain/action/outcome.ts';

export type EffectState =
  /** Nobody began it before; it is now marked as begun. */
  | { readonly state: 'fresh' }
  /** It was begun in this round and no outcome was stored: the effect may have happened. */
  | { readonly state: 'uncertain'; readonly begunAt: number }
  /**
   * An earlier round failed or has no outcome, and somebody asked for another one: it is now marked as begun in this round.
   * `possibleDuplicate`: the effect may have happened in an earlier round.
   */
  | { readonly state: 'reopened'; readonly possibleDuplicate: boolean }
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
  /** Takes the mark back: the attempt is known to have had no effect, a retry starts fresh. */
  release(commandId: string): Promise<void>;
}

/** Whether the effect of a failure, or of a begin without an outcome (null), may have happened all the same. */
export function mayHaveHappened(outcome: Outcome | null, possibleDuplicate: boolean): boolean {
  return possibleDuplicate || outcome === null || (outcome.status === 'failed' && outcome.uncertain === true);
}
