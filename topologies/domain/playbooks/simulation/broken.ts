// State machines that are wrong on purpose, one for each invariant: the checker must notice every one.
import type { FoldEffect } from '../../../run/fold/fold.ts';
import { correlate } from '../correlator/correlate.ts';
import { decideRun } from '../decide.ts';
import type { RunState } from '../machine/state.ts';
import type { Correlate } from './meeting.ts';
import type { Step } from './simulate.ts';

function withEffects(keep: (effect: FoldEffect) => boolean): Step {
  return (...given) => {
    const step = decideRun(...given);
    return { ...step, effects: step.effects.filter(keep) };
  };
}

/** By the invariant that breaks. Each call gives fresh ones, because some of them remember. */
export function brokenSteps(): Readonly<Record<string, Step>> {
  const previous = new Map<string, RunState | null>();
  let calls = 0;
  return {
    // Timers are never set.
    I1: withEffects(({ kind }) => kind !== 'timer'),
    // Commands are told of, and not written.
    I2: withEffects((effect) => effect.kind !== 'produce' || !effect.record.topic.startsWith('commands.')),
    // A result that comes twice counts twice.
    I3: (state, input, moment, options) => {
      const step = decideRun(state, input, moment, options);
      if (input.kind !== 'result') return step;
      const before = previous.get(moment.key) ?? null;
      const stale = step.changes.some(({ what }) => what === 'ignored');
      if (!stale) previous.set(moment.key, state);
      return stale && before !== null ? decideRun(before, input, moment, options) : step;
    },
    // Something of the moment of the call is in what it gives.
    I4: (...given) => {
      const step = decideRun(...given);
      calls += 1;
      return { ...step, changes: [...step.changes, { what: 'note', text: `call ${calls}` }] };
    },
    // What the next step sends is told before the step before it has ended.
    I5: (...given) => {
      const step = decideRun(...given);
      const rank = ({ what }: { what: string }): number => (what === 'command' ? 0 : 1);
      return { ...step, changes: [...step.changes].sort((a, b) => rank(a) - rank(b)) };
    },
    // Delays are over at once.
    I6: (state, input, moment, options) => {
      const step = decideRun(state, input, moment, options);
      const hurried = structuredClone(step.state);
      for (const node of Object.values(hurried?.nodes ?? {}))
        if (node.due?.['delay'] !== undefined) node.due['delay'] = moment.now;
      const effects = step.effects.map((effect) =>
        effect.kind === 'timer' && effect.token.endsWith('!delay') ? { ...effect, due: moment.now } : effect,
      );
      return { ...step, state: hurried, effects };
    },
    // Timers are never cancelled.
    I7: withEffects(({ kind }) => kind !== 'cancel-timer'),
    // Whoever decides has every role, and is somebody else every time.
    I8: (state, input, moment, options) =>
      input.kind === 'decision'
        ? decideRun(state, { ...input, actor: `x${moment.offset}`, roles: ['lead'] }, moment, options)
        : decideRun(state, input, moment, options),
    // A pause is told of, and does not hold.
    I9: (...given) => {
      const step = decideRun(...given);
      if (step.state?.paused === undefined) return step;
      const { paused: _, ...running } = step.state;
      return { ...step, state: running };
    },
    // Waits are kept to itself.
    I13: withEffects((effect) => effect.kind !== 'produce' || effect.record.topic !== 'correlations.v1'),
    // A write of a state is lost, and nobody notices.
    I10: (state, input, moment, options) => {
      const step = decideRun(state, input, moment, options);
      return input.kind === 'event' && state !== null ? { ...step, state } : step;
    },
  };
}

function withState(
  change: (state: NonNullable<ReturnType<Correlate>['state']>) => ReturnType<Correlate>['state'],
): Correlate {
  return (...given) => {
    const step = correlate(...given);
    return { ...step, state: step.state === null ? null : change(step.state) };
  };
}

/** Correlators, likewise. */
export function brokenCorrelators(): Readonly<Record<string, Correlate>> {
  let calls = 0;
  return {
    // Something of the moment of the call is in what it gives.
    I4: (...given) => {
      const step = correlate(...given);
      calls += 1;
      return { ...step, changes: [...step.changes, { what: 'wait', call: calls }] };
    },
    // What nobody waits for yet is forgotten.
    I13: withState(({ v, waits }) => ({ v, waits, events: [] })),
    // Who got an event is forgotten.
    I14: withState((state) => ({ ...state, events: state.events.map((kept) => ({ ...kept, given: [] })) })),
    // A wait is kept when it is over.
    I15: (state, input, moment, runs) =>
      input.kind === 'done'
        ? { state, effects: [], changes: [], keepUntil: null }
        : correlate(state, input, moment, runs),
  };
}
