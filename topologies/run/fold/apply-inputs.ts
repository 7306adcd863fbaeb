// The pure part of a micro-batch: inputs in offset order over the states of their keys.
//
// Invariant: a step that throws harms its own key only; every input leaves one change.
import type { StateWrite } from '../../ports/fold-store.ts';
import type { Fold, FoldChange, FoldEffect, FoldMoment, FoldStep } from './fold.ts';

export interface HeldState<State> {
  readonly state: State | null;
  /** 0 without a state. */
  readonly version: number;
  /** Characters of the state as JSON. */
  readonly size: number;
}

export interface FoldInput<Input> {
  readonly input: Input;
  readonly moment: FoldMoment;
}

export interface Applied<State, Input> {
  /** By key, after the inputs. */
  readonly states: ReadonlyMap<string, HeldState<State>>;
  readonly writes: readonly StateWrite[];
  readonly effects: readonly { readonly key: string; readonly effect: FoldEffect }[];
  /** Values of the changelog's records: FoldChange as JSON. */
  readonly changes: readonly { readonly key: string; readonly text: string }[];
  readonly faults: readonly { readonly input: FoldInput<Input>; readonly error: string }[];
}

/** `held` has every key of the inputs. */
export function applyInputs<State, Input>(
  fold: Pick<Fold<State, Input>, 'step' | 'fault'>,
  inputs: readonly FoldInput<Input>[],
  held: ReadonlyMap<string, HeldState<State>>,
): Applied<State, Input> {
  const states = new Map<string, HeldState<State>>();
  const bodies = new Map<string, { body: string | null; keepUntil: number | null }>();
  const effects: { key: string; effect: FoldEffect }[] = [];
  const changes: { key: string; text: string }[] = [];
  const faults: { input: FoldInput<Input>; error: string }[] = [];
  for (const { input, moment } of inputs) {
    const { key, now, offset } = moment;
    const before = states.get(key) ?? held.get(key) ?? { state: null, version: 0, size: 0 };
    let step: FoldStep<State>;
    try {
      step = fold.step(before.state, input, moment);
      // A time that is no number would never come, and JSON cannot hold it.
      for (const effect of step.effects)
        if (effect.kind === 'timer' && !Number.isFinite(effect.due))
          throw new TypeError(`timer ${effect.token}: due must be a finite number`);
    } catch (thrown) {
      const error = thrown instanceof Error ? thrown.message : String(thrown);
      faults.push({ input: { input, moment }, error });
      step = fold.fault(before.state, input, moment, error);
    }
    const version = before.version + 1;
    const body = step.state === null ? null : JSON.stringify(step.state);
    const keepUntil = step.keepUntil ?? null;
    states.set(key, {
      state: step.state,
      version: step.state === null ? 0 : version,
      size: body?.length ?? 0,
    });
    bodies.set(key, { body, keepUntil });
    for (const effect of step.effects) effects.push({ key, effect });
    const change = {
      v: 1,
      key,
      version,
      offset,
      at: now,
      ...(keepUntil === null ? {} : { keep_until: keepUntil }),
      ...(step.changes === undefined ? {} : { changes: step.changes }),
    } as const;
    changes.push({ key, text: changeText(change, body) });
  }
  const writes = [...states].flatMap(([key, { version }]) => {
    const expected = held.get(key)?.version ?? 0;
    const { body, keepUntil } = bodies.get(key)!;
    if (body === null && expected === 0) return [];
    return [{ key, expected, version, body, keepUntil }];
  });
  return { states, writes, effects, changes, faults };
}

/** With the state as the text that the store gets, because turning states into JSON is most of the work of a batch. */
function changeText(change: Omit<FoldChange<unknown>, 'state'>, body: string | null): string {
  return `${JSON.stringify(change).slice(0, -1)},"state":${body ?? 'null'}}`;
}
