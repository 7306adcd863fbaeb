// The effects ledger: what was begun and what was finished per command, so that a redelivered command answers from
// its stored outcome instead of acting twice.

import type { Outcome } from '../domain/action/outcome.ts';

export type EffectState =
  /** Nobody began it before; it is now marked as begun. */
  | { readonly state: 'fresh' }
  /** It was begun and no outcome was stored: the effect may have happened. */
  | { readonly state: 'uncertain'; readonly begunAt: number }
  | { readonly state: 'finished'; readonly outcome: Outcome };

export interface EffectsPort {
  /** Marks the command as begun at `now` (epoch ms) unless it was begun before, and says which of the three it is. */
  begin(commandId: string, now: number): Promise<EffectState>;
  /** Stores the final outcome. Idempotent; the first stored outcome stays. */
  finish(commandId: string, outcome: Outcome, now: number): Promise<void>;
  /** Takes the mark back: the attempt is known to have had no effect, a retry starts fresh. */
  release(commandId: string): Promise<void>;
}
