// Where a fold keeps its states: one place per partition, states and the applied offset move together.
//
// Invariant: `advance` changes all states of a step and the offset, or nothing; only the owner that claimed last advances;
// a store that went back in time (failover, lost tail) answers `offset`, and replay from there heals it.

/** One partition of one fold. */
export interface FoldPlace {
  /** Id of the fold. */
  readonly fold: string;
  readonly partition: number;
}

export interface StoredState {
  /** Grows with every write of this key. */
  readonly version: number;
  /** JSON text. */
  readonly body: string;
}

export interface StateWrite {
  readonly key: string;
  /** Version that is replaced; 0 when there is none. */
  readonly expected: number;
  /** Version that is written, above `expected`. */
  readonly version: number;
  /** null removes the state. */
  readonly body: string | null;
  /** Epoch ms after which the state may vanish; null keeps it. */
  readonly keepUntil: number | null;
  /** Epoch ms by which another input of the key comes by itself; absent: nobody can tell. See `overdue`. */
  readonly expectBy?: number;
  /** What the key is counted as; absent: not counted. See `tallies`. */
  readonly tally?: string;
}

/** A state as a rebuild found it. */
export interface RestoredState extends Pick<StateWrite, 'key' | 'keepUntil' | 'expectBy' | 'tally'> {
  readonly state: StoredState;
}

export interface Overdue {
  readonly key: string;
  /** Epoch ms. */
  readonly expectBy: number;
}

export interface FoldAdvance {
  /** Input offset that the place stands at; null when nothing was applied yet. */
  readonly from: number | null;
  /** Last input offset of the step. */
  readonly to: number;
  /** Epoch ms. */
  readonly now: number;
  /** Each key once. */
  readonly writes: readonly StateWrite[];
}

export type Advanced =
  | { readonly status: 'ok' }
  /** Somebody else claimed the place. */
  | { readonly status: 'fenced' }
  /** The place stands elsewhere: it was rolled back, or the step was applied already. */
  | { readonly status: 'offset'; readonly offset: number | null }
  /** A state has another version than expected. */
  | { readonly status: 'version'; readonly key: string };

export type Loaded =
  | { readonly status: 'ok'; readonly states: readonly (StoredState | null)[] }
  | { readonly status: 'fenced' }
  | { readonly status: 'offset'; readonly offset: number | null };

export interface FoldStore {
  /** Makes `token` the owner of the place and says which input offset was applied last; null for an empty place. */
  claim(place: FoldPlace, token: string, now: number): Promise<{ readonly offset: number | null }>;
  /**
   * The states of `keys`, in their order, as they are after input `from`; null where there is none. A place that was rolled
   * back or emptied since says so here: steps from its states would call for other effects.
   */
  load(place: FoldPlace, token: string, from: number | null, keys: readonly string[]): Promise<Loaded>;
  advance(place: FoldPlace, token: string, step: FoldAdvance): Promise<Advanced>;
  /**
   * Writes states as they are, for a rebuild, without moving the offset; `fenced` when somebody else claimed. A place that
   * is being rebuilt has no offset, so that a rebuild that broke off begins again.
   */
  restore(place: FoldPlace, token: string, states: readonly RestoredState[]): Promise<'ok' | 'fenced'>;
  /** Empties the place, before a rebuild. */
  clear(place: FoldPlace, token: string): Promise<'ok' | 'fenced'>;
  /** How many keys expected an input before `moment` (epoch ms), and the first `limit` of them. Anybody may ask. */
  overdue(
    place: FoldPlace,
    moment: number,
    limit: number,
  ): Promise<{ readonly count: number; readonly first: readonly Overdue[] }>;
  /** How many keys are counted as what. Anybody may ask. */
  tallies(place: FoldPlace): Promise<ReadonlyMap<string, number>>;
}
