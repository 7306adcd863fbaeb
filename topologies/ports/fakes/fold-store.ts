// A fold store in memory that can lose its last writes, or everything, as Redis can.
import type { FoldPlace, FoldStore, StoredState } from '../fold-store.ts';

interface Place {
  owner: string | null;
  offset: number | null;
  states: Map<string, StoredState>;
}

export interface FakeFoldStore extends FoldStore {
  /** Takes back the last `writes` advances of the place, as a failover to a replica that lagged does. */
  rollBack(place: FoldPlace, writes: number): void;
  /** Loses everything, owners too. */
  flush(): void;
  stateOf(place: FoldPlace, key: string): StoredState | null;
  offsetOf(place: FoldPlace): number | null;
  keysOf(place: FoldPlace): readonly string[];
}

export function fakeFoldStore(): FakeFoldStore {
  const places = new Map<string, Place>();
  const history = new Map<string, Pick<Place, 'offset' | 'states'>[]>();
  const nameOf = ({ fold, partition }: FoldPlace): string => `${fold}/${partition}`;
  const at = (place: FoldPlace): Place => {
    const name = nameOf(place);
    const held = places.get(name) ?? { owner: null, offset: null, states: new Map() };
    places.set(name, held);
    return held;
  };

  return {
    async claim(place, token) {
      const held = at(place);
      held.owner = token;
      return { offset: held.offset };
    },
    async load(place, token, from, keys) {
      const { owner, offset, states } = at(place);
      if (owner !== token) return { status: 'fenced' };
      if (offset !== from) return { status: 'offset', offset };
      return { status: 'ok', states: keys.map((key) => states.get(key) ?? null) };
    },
    async advance(place, token, { from, to, writes }) {
      const held = at(place);
      if (held.owner !== token) return { status: 'fenced' };
      if (held.offset !== from) return { status: 'offset', offset: held.offset };
      for (const { key, expected } of writes)
        if ((held.states.get(key)?.version ?? 0) !== expected) return { status: 'version', key };
      const name = nameOf(place);
      history.set(name, [
        ...(history.get(name) ?? []),
        { offset: held.offset, states: new Map(held.states) },
      ]);
      for (const { key, version, body } of writes)
        if (body === null) held.states.delete(key);
        else held.states.set(key, { version, body });
      held.offset = to;
      return { status: 'ok' };
    },
    async restore(place, token, states) {
      const held = at(place);
      if (held.owner !== token) return 'fenced';
      for (const { key, state } of states) held.states.set(key, state);
      return 'ok';
    },
    async clear(place, token) {
      const held = at(place);
      if (held.owner !== token) return 'fenced';
      held.states = new Map();
      held.offset = null;
      return 'ok';
    },
    rollBack(place, writes) {
      const name = nameOf(place);
      const steps = history.get(name) ?? [];
      const before = steps[Math.max(0, steps.length - writes)];
      if (before === undefined) return;
      history.set(name, steps.slice(0, Math.max(0, steps.length - writes)));
      const held = at(place);
      held.offset = before.offset;
      held.states = new Map(before.states);
    },
    flush() {
      places.clear();
      history.clear();
    },
    stateOf: (place, key) => at(place).states.get(key) ?? null,
    offsetOf: (place) => at(place).offset,
    keysOf: (place) => [...at(place).states.keys()],
  };
}
