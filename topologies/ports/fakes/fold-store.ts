// A fold store in memory that can lose its last writes, or everything, as Redis can.
import type { FoldPlace, FoldStore, StateWrite, StoredState } from '../fold-store.ts';

interface Place {
  owner: string | null;
  offset: number | null;
  states: Map<string, Stored>;
}

type Stored = StoredState & Pick<StateWrite, 'expectBy' | 'tally'>;

export interface FakeFoldStore extends FoldStore {
  /** Takes back the last `writes` advances of the place, as a failover to a replica that lagged does. */
  rollBack(place: FoldPlace, writes: number): void;
  /** Loses everything, owners too. */
  flush(): void;
  stateOf(place: FoldPlace, key: string): StoredState | null;
  offsetOf(place: FoldPlace): number | null;
  keysOf(place: FoldPlace): readonly string[];
}

function stored(
  state: StoredState,
  { expectBy, tally }: { expectBy: number | undefined; tally: string | undefined },
): Stored {
  return {
    ...state,
    ...(expectBy === undefined ? {} : { expectBy }),
    ...(tally === undefined ? {} : { tally }),
  };
}

function plain(held: Stored | undefined): StoredState | null {
  return held === undefined ? null : { version: held.version, body: held.body };
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
      return { status: 'ok', states: keys.map((key) => plain(states.get(key))) };
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
      for (const { key, version, body, expectBy, tally } of writes)
        if (body === null) held.states.delete(key);
        else held.states.set(key, stored({ version, body }, { expectBy, tally }));
      held.offset = to;
      return { status: 'ok' };
    },
    async restore(place, token, states) {
      const held = at(place);
      if (held.owner !== token) return 'fenced';
      for (const { key, state, expectBy, tally } of states)
        held.states.set(key, stored(state, { expectBy, tally }));
      return 'ok';
    },
    async clear(place, token) {
      const held = at(place);
      if (held.owner !== token) return 'fenced';
      held.states = new Map();
      held.offset = null;
      return 'ok';
    },
    async overdue(place, moment, limit) {
      const late = [...at(place).states].flatMap(([key, { expectBy }]) =>
        expectBy !== undefined && expectBy < moment ? [{ key, expectBy }] : [],
      );
      late.sort((a, b) => a.expectBy - b.expectBy);
      return { count: late.length, first: late.slice(0, limit) };
    },
    async tallies(place) {
      const counts = new Map<string, number>();
      for (const { tally } of at(place).states.values())
        if (tally !== undefined) counts.set(tally, (counts.get(tally) ?? 0) + 1);
      return counts;
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
    stateOf: (place, key) => plain(at(place).states.get(key)),
    offsetOf: (place) => at(place).offset,
    keysOf: (place) => [...at(place).states.keys()],
  };
}
