// The effects ledger in memory.
import type { Outcome } from '../../domain/action/outcome.ts';
import { type EffectsPort, mayHaveHappened } from '../effects.ts';

interface Entry {
  readonly begunAt: number;
  readonly round: number;
  readonly outcome: Outcome | null;
  readonly possibleDuplicate?: boolean;
}

export interface FakeEffects extends EffectsPort {
  /** Stored entries; the outcome is null while the command is only begun. */
  readonly entries: ReadonlyMap<string, Entry>;
}

export function fakeEffects(): FakeEffects {
  const entries = new Map<string, Entry>();
  return {
    entries,
    async begin(commandId, now, round = 1) {
      const entry = entries.get(commandId);
      const begun = { begunAt: now, round, outcome: null };
      if (entry === undefined) {
        entries.set(commandId, begun);
        return { state: 'fresh' };
      }
      const { outcome, begunAt, possibleDuplicate = false } = entry;
      if (outcome?.status !== 'done' && entry.round < round) {
        entries.set(commandId, begun);
        return { state: 'reopened', possibleDuplicate: mayHaveHappened(outcome, possibleDuplicate) };
      }
      if (outcome === null) return { state: 'uncertain', begunAt };
      return { state: 'finished', outcome, ...(possibleDuplicate ? { possibleDuplicate } : {}) };
    },
    async finish(commandId, outcome, now, possibleDuplicate = false) {
      const entry = entries.get(commandId) ?? { begunAt: now, round: 1, outcome: null };
      if (entry.outcome === null) entries.set(commandId, { ...entry, outcome, possibleDuplicate });
    },
    async release(commandId) {
      if (entries.get(commandId)?.outcome === null) entries.delete(commandId);
    },
  };
}
