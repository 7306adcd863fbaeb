// The effects ledger in memory.
import type { Outcome, Progress } from '../../domain/action/outcome.ts';
import { type EffectsPort, mayHaveHappened } from '../effects.ts';

interface Entry {
  readonly begunAt: number;
  readonly round: number;
  readonly outcome: Outcome | null;
  readonly possibleDuplicate?: boolean;
  readonly progress?: Progress;
  readonly released?: true;
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
      const noted = entry?.progress === undefined ? {} : { progress: entry.progress };
      const begun = { begunAt: now, round, outcome: null, ...noted };
      if (entry === undefined || entry.released === true) {
        entries.set(commandId, begun);
        return { state: 'fresh', ...noted };
      }
      const { outcome, begunAt, possibleDuplicate = false } = entry;
      if (outcome?.status !== 'done' && entry.round < round) {
        entries.set(commandId, begun);
        return {
          state: 'reopened',
          possibleDuplicate: mayHaveHappened(outcome, possibleDuplicate),
          ...noted,
        };
      }
      if (outcome === null) return { state: 'uncertain', begunAt, ...noted };
      return { state: 'finished', outcome, ...(possibleDuplicate ? { possibleDuplicate } : {}) };
    },
    async finish(commandId, outcome, now, possibleDuplicate = false) {
      const { released: _, ...entry } = entries.get(commandId) ?? { begunAt: now, round: 1, outcome: null };
      if (entry.outcome === null) entries.set(commandId, { ...entry, outcome, possibleDuplicate });
    },
    async note(commandId, progress, now) {
      const { released: _, ...entry } = entries.get(commandId) ?? { begunAt: now, round: 1, outcome: null };
      if (entry.outcome === null) entries.set(commandId, { ...entry, progress });
    },
    async release(commandId) {
      const entry = entries.get(commandId);
      if (entry?.outcome !== null) return;
      if (entry.progress === undefined) entries.delete(commandId);
      else entries.set(commandId, { ...entry, released: true });
    },
  };
}
