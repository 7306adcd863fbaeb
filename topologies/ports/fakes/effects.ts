// The effects ledger in memory.
import type { Outcome } from '../../domain/action/outcome.ts';
import type { EffectsPort } from '../effects.ts';

export interface FakeEffects extends EffectsPort {
  /** Stored entries; the outcome is null while the command is only begun. */
  readonly entries: ReadonlyMap<string, { readonly begunAt: number; readonly outcome: Outcome | null }>;
}

export function fakeEffects(): FakeEffects {
  const entries = new Map<string, { begunAt: number; outcome: Outcome | null }>();
  return {
    entries,
    async begin(commandId, now) {
      const entry = entries.get(commandId);
      if (entry === undefined) {
        entries.set(commandId, { begunAt: now, outcome: null });
        return { state: 'fresh' };
      }
      if (entry.outcome === null) return { state: 'uncertain', begunAt: entry.begunAt };
      return { state: 'finished', outcome: entry.outcome };
    },
    async finish(commandId, outcome, now) {
      const entry = entries.get(commandId);
      if (entry === undefined) entries.set(commandId, { begunAt: now, outcome });
      else entry.outcome ??= outcome;
    },
    async release(commandId) {
      if (entries.get(commandId)?.outcome === null) entries.delete(commandId);
    },
  };
}
