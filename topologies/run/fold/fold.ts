// A fold: inputs of one topic change states by key, purely, and call for effects. The one mechanism for everything stateful.
//
// Invariant: `step` depends on its arguments alone, so that replaying inputs from an older state gives the same states and the
// same effects, under the same ids.
import type { OutRecord, RecordBatch } from '../../ports/log.ts';
import type { Topic } from '../../topics.ts';

/** Why an input or a timer became a dead letter besides what `read` refuses; one line each, for generated pages. */
export const foldReasons = {
  step_failed:
    'The engine failed on the input; its run waits for an operator, and a retry applies the input. A start can be redriven.',
  timer_refused: 'The log refuses the input that a timer becomes.',
} as const;

export interface FoldMoment {
  /** Time of the input record, epoch ms: what `now` is in a step. */
  readonly now: number;
  readonly partition: number;
  readonly offset: number;
  readonly key: string;
}

export type FoldEffect =
  | { readonly kind: 'produce'; readonly record: OutRecord }
  /** From `due` (epoch ms) on, one input `{kind: 'timer', token, ...payload}` with this key comes in. A token that is set again moves. */
  | {
      readonly kind: 'timer';
      readonly token: string;
      readonly due: number;
      /** Not before so many ms from now on, whatever the clock of its owner says; for a timer that came too early. */
      readonly after?: number;
      readonly payload?: Readonly<Record<string, unknown>>;
    }
  | { readonly kind: 'cancel-timer'; readonly token: string };

export interface FoldStep<State> {
  /** null: the key has no state from here on. JSON data. */
  readonly state: State | null;
  /** Epoch ms after which the state may vanish; null or absent keeps it. */
  readonly keepUntil?: number | null;
  /** Epoch ms by which another input of the key comes by itself, if only that of a timer; null or absent: nobody can tell. */
  readonly expectBy?: number | null;
  /** What the key is counted as; absent: not counted. */
  readonly tally?: string;
  readonly effects: readonly FoldEffect[];
  /** What happened, for whoever reads the changelog. JSON data. */
  readonly changes?: unknown;
}

export type FoldRead<Input> =
  | { readonly key: string; readonly input: Input }
  /** The record is no input: a dead letter with this reason. */
  | { readonly refuse: string; readonly detail: string };

export interface Fold<State, Input> {
  /** Part of the names of its keys in the store; never changes. */
  readonly id: string;
  readonly input: Topic;
  /** One record for each applied input, with the state after it; co-partitioned with `input`. */
  readonly changelog: Topic;
  /** Never throws. */
  read(batch: RecordBatch, index: number): FoldRead<Input>;
  /**
   * Before the steps of these inputs, each with the state that its key had before them: brings about what the steps ask for besides
   * their arguments. Bounded in time; rejects only when the signal is aborted.
   */
  prepare?(
    inputs: readonly { readonly state: State | null; readonly input: Input }[],
    signal: AbortSignal,
  ): Promise<void>;
  step(state: State | null, input: Input, moment: FoldMoment): FoldStep<State>;
  /** Instead of a step that threw: the input is a dead letter, and the key says so. Must not throw. */
  fault(state: State | null, input: Input, moment: FoldMoment, error: string): FoldStep<State>;
}

/** Value of a changelog record, as JSON. */
export interface FoldChange<State> {
  readonly v: 1;
  readonly key: string;
  readonly version: number;
  /** Of the input in its partition. */
  readonly offset: number;
  /** Time of the input, epoch ms. */
  readonly at: number;
  readonly state: State | null;
  readonly keep_until?: number;
  readonly expect_by?: number;
  readonly tally?: string;
  readonly changes?: unknown;
}
