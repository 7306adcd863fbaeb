// The correlator of a random world: its inputs, its states, and crashes that lose some of them.
//
// Invariant: as for runs: a crash goes back to older states and applies the same inputs again, and what they call for happens twice.
import type { CorrelationInput, RunInput } from '@tocsin/schemas/types.ts';
import type { FoldMoment } from '../../../run/fold/fold.ts';
import type { CorrelatorStep, correlate } from '../correlator/correlate.ts';
import type { CorrelatorState } from '../correlator/state.ts';
import type { Random } from './random.ts';

/** The function under test; others than correlate are broken on purpose. */
export type Correlate = typeof correlate;

export interface MeetingEntry {
  readonly key: string;
  readonly input: CorrelationInput;
  readonly moment: FoldMoment;
  readonly before: CorrelatorState | null;
  readonly step: CorrelatorStep;
}

export interface Meeting {
  apply(key: string, input: CorrelationInput, now: number): void;
  /** The states of some inputs ago, and the same inputs again. */
  crash(): void;
  readonly log: readonly MeetingEntry[];
  readonly states: ReadonlyMap<string, CorrelatorState | null>;
  /** Inputs whose repetition gave something else. */
  readonly differences: readonly string[];
}

export function createMeeting(
  random: Random,
  step: Correlate,
  send: (key: string, input: RunInput) => void,
): Meeting {
  const log: MeetingEntry[] = [];
  const states = new Map<string, CorrelatorState | null>();
  const differences: string[] = [];

  function carryOut({ effects }: CorrelatorStep): void {
    for (const effect of effects)
      if (effect.kind === 'produce')
        send(String(effect.record.key), JSON.parse(String(effect.record.value)) as RunInput);
  }

  return {
    log,
    states,
    differences,
    apply(key, input, now) {
      const moment = { now, partition: 1, offset: log.length, key };
      const before = states.get(key) ?? null;
      const after = step(before, input, moment, 'runs.v1');
      states.set(key, after.state);
      log.push({ key, input, moment, before, step: after });
      carryOut(after);
    },
    crash() {
      const from = Math.max(0, log.length - 1 - random.below(10));
      const lost = log.slice(from);
      for (const { key, before } of [...lost].reverse()) states.set(key, before);
      for (const { key, input, moment, step: first } of lost) {
        const again = step(states.get(key) ?? null, input, moment, 'runs.v1');
        if (JSON.stringify(again) !== JSON.stringify(first))
          differences.push(`${moment.offset} ${input.kind}`);
        states.set(key, again.state);
        carryOut(again);
      }
    },
  };
}
