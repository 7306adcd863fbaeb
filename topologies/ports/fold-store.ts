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
  /** Grows by one with every write of this key. */
  readonly version: number;
  /** JSON text. */
  readonly body: string;
}

export interface StateWrite {
  readonly key: string;
  /** Version that is replaced; 0 when there is none. */
  readonly expected: number;
  /** null removes the state. */
  readonly body: string | null;
  /** Epoch ms after which the state may vanish; null keeps it. */
  readonly keepUntil: number | null;
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

export interface FoldStore {
  /** Makes `token` the owner of the place and says which input offset was applied last; null for an empty place. */
  claim(place: FoldPlace, token: string, now: number): Promise<{ readonly offset: number | null }>;
  /** The states of `keys`, in their order; null where there is none. */
  load(place: FoldPlace, keys: readonly string[]): Promise<(StoredState | null)[]>;
  advance(place: FoldPlace, token: string, step: FoldAdvance): Promise<Advanced>;
  /**
   * Writes states as they are, for a rebuild, without moving the offset; `fenced` when somebody else claimed. A place that
   * is being rebuilt has no offset, so that a rebuild that broke off begins again.
   */
  restore(
    place: FoldPlace,
    token: string,
    states: readonly {
      readonly key: string;
      readonly state: StoredState;
      readonly keepUntil: number | null;
    }[],
  ): Promise<'ok' | 'fenced'>;
  /** Empties the place, before a rebuild. */
  clear(place: FoldPlace, token: string): Promise<'ok' | 'fenced'>;
}
