// States of one partition in memory, so that a step need not ask the store for what it wrote itself.
//
// Invariant: bounded in states and in bytes after `trim`; what was used least lately goes first.
import type { HeldState } from './apply-inputs.ts';

export interface StateCache<State> {
  readonly states: ReadonlyMap<string, HeldState<State>>;
  /** Whether the state is there and read or written lately: the store may have forgotten an older one. */
  isFresh(key: string, now: number): boolean;
  /** `body`: the state as the store has it; null without one. `now`: epoch ms. */
  put(key: string, state: HeldState<State>, body: string | null, now: number): void;
  remove(key: string): void;
  /** Between two steps: within one all states of its keys are needed. */
  trim(): void;
}

const maxStates = 20_000;
/** Characters of bodies; as objects they take about three times as many bytes. */
const maxCharacters = 2 * 1024 * 1024;
/** Age of a state that is read again, ms; the store forgets one a day after its time at the earliest. */
const maxAgeMs = 12 * 3_600_000;

export function createStateCache<State>(limits = { maxStates, maxCharacters }): StateCache<State> {
  const states = new Map<string, HeldState<State> & { readonly size: number; readonly at: number }>();
  let total = 0;

  function remove(key: string): void {
    total -= states.get(key)?.size ?? 0;
    states.delete(key);
  }

  return {
    states,
    remove,
    isFresh: (key, now) => now - (states.get(key)?.at ?? Number.NEGATIVE_INFINITY) <= maxAgeMs,
    put(key, state, body, now) {
      remove(key);
      const size = key.length + (body?.length ?? 0);
      states.set(key, { ...state, size, at: now });
      total += size;
    },
    trim() {
      for (const key of states.keys()) {
        if (states.size <= limits.maxStates && total <= limits.maxCharacters) return;
        remove(key);
      }
    },
  };
}
