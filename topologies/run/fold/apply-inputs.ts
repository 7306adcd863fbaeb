// The pure part of a micro-batch: inputs in offset order over the states of their keys.
//
// Invariant: a step that throws, or gives what the log would refuse, harms its own key only; every input leaves one change.
import type { StateWrite } from '../../ports/fold-store.ts';
import type { Fold, FoldChange, FoldEffect, FoldMoment, FoldStep } from './fold.ts';

export interface HeldState<State> {
  readonly state: State | null;
  /** 0 without a state. */
  readonly version: number;
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

/** Largest record, bytes: below the limit that brokers have by default, with room for key and headers. */
const maxRecordBytes = 1_000_000;

/** `held` has every key of the inputs. */
export function applyInputs<State, Input>(
  fold: Pick<Fold<State, Input>, 'step' | 'fault'>,
  inputs: readonly FoldInput<Input>[],
  held: ReadonlyMap<string, HeldState<State>>,
  maxBytes = maxRecordBytes,
): Applied<State, Input> {
  const states = new Map<string, HeldState<State>>();
  const steps = new Map<string, { readonly step: FoldStep<State>; readonly body: string | null }>();
  const effects: { key: string; effect: FoldEffect }[] = [];
  const changes: { key: string; text: string }[] = [];
  const faults: { input: FoldInput<Input>; error: string }[] = [];
  for (const { input, moment } of inputs) {
    const { key } = moment;
    const before = states.get(key) ?? held.get(key) ?? { state: null, version: 0 };
    const version = before.version + 1;
    let step: FoldStep<State>;
    let written: Written;
    try {
      step = fold.step(before.state, input, moment);
      for (const effect of step.effects) checkEffect(effect, maxBytes);
      written = writtenOf(moment, version, step);
      checkSize('the change', written.change, maxBytes);
    } catch (thrown) {
      const error = thrown instanceof Error ? thrown.message : String(thrown);
      faults.push({ input: { input, moment }, error });
      step = fold.fault(before.state, input, moment, error);
      written = writtenOf(moment, version, step);
    }
    states.set(key, { state: step.state, version: step.state === null ? 0 : version });
    steps.set(key, { step, body: written.body });
    for (const effect of step.effects) effects.push({ key, effect });
    changes.push({ key, text: written.change });
  }
  const writes = [...steps].flatMap(([key, { step, body }]) => {
    const expected = held.get(key)?.version ?? 0;
    if (body === null && expected === 0) return [];
    const { keepUntil = null, expectBy, tally } = step;
    const version = states.get(key)?.version ?? 0;
    return [
      {
        key,
        expected,
        version,
        body,
        keepUntil,
        ...(expectBy == null ? {} : { expectBy }),
        ...(tally === undefined ? {} : { tally }),
      },
    ];
  });
  return { states, writes, effects, changes, faults };
}

interface Written {
  /** The state as JSON; null without one. */
  readonly body: string | null;
  /** FoldChange as JSON. */
  readonly change: string;
}

/** The state becomes JSON once, for the store and for the changelog: that is most of the work of a batch. */
function writtenOf<State>(
  { key, offset, now }: FoldMoment,
  version: number,
  { state, keepUntil, expectBy, tally, changes }: FoldStep<State>,
): Written {
  const rest: Omit<FoldChange<State>, 'state'> = {
    v: 1,
    key,
    version,
    offset,
    at: now,
    ...(keepUntil == null ? {} : { keep_until: keepUntil }),
    ...(expectBy == null ? {} : { expect_by: expectBy }),
    ...(tally === undefined ? {} : { tally }),
    ...(changes === undefined ? {} : { changes }),
  };
  const body = state === null ? null : JSON.stringify(state);
  return { body, change: `${JSON.stringify(rest).slice(0, -1)},"state":${body ?? 'null'}}` };
}

function checkEffect(effect: FoldEffect, maxBytes: number): void {
  // A time that is no number would never come, and JSON cannot hold it.
  if (effect.kind === 'timer' && !Number.isFinite(effect.due))
    throw new TypeError(`timer ${effect.token}: due must be a finite number`);
  if (effect.kind === 'produce' && effect.record.value !== null)
    checkSize(`a record for ${effect.record.topic}`, effect.record.value, maxBytes);
}

function checkSize(what: string, value: Buffer | string, maxBytes: number): void {
  // No UTF-16 code unit takes more than three bytes.
  if (value.length * 3 <= maxBytes) return;
  const bytes = Buffer.byteLength(value);
  if (bytes > maxBytes) throw new RangeError(`${what} has ${bytes} bytes, at most ${maxBytes} fit`);
}
