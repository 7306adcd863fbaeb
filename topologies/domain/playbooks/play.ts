// Plays runs in memory on a virtual clock: commands are answered by a function, timers fire when nothing else is left to do.
//
// Invariant: the order is that of time, then of coming in; the same player and the same start give the same history.
import type { Command, RunInput, StartInput } from '@tocsin/schemas/types.ts';
import type { FoldEffect } from '../../run/fold/fold.ts';
import { topics } from '../../topics.ts';
import type { CommandTypes } from '../action/define-action.ts';
import { decideRun } from './decide.ts';
import type { RunChange, RunState } from './machine/state.ts';
import type { Definitions } from './program.ts';

export interface Played {
  readonly at: number;
  readonly key: string;
  readonly input: RunInput;
  readonly changes: readonly RunChange[];
  readonly state: RunState | null;
}

/** An input that comes in later, after `afterMs`. */
export interface LaterInput {
  readonly afterMs: number;
  readonly key: string;
  readonly input: RunInput;
}

export interface Player {
  /** Epoch ms. */
  readonly now: number;
  send(input: LaterInput): void;
  /** Applies everything that is due, until nothing is left or `limit` inputs were applied. False: the limit. */
  play(limit?: number): boolean;
  state(key: string): RunState | null;
  readonly history: readonly Played[];
  /** Records that were produced, runs and commands too. */
  readonly produced: readonly { readonly at: number; readonly topic: string; readonly value: unknown }[];
}

export interface PlayerOptions {
  readonly definitions: Definitions;
  /** Types that commands may have; all without it. */
  readonly commandTypes?: CommandTypes;
  readonly start: number;
  /** What comes back for a command. */
  readonly answer: (command: Command, now: number) => readonly LaterInput[];
  /** What comes back for one of the engine's own events, such as a decision for approval.requested. */
  readonly onEvent?: (event: Readonly<Record<string, unknown>>, now: number) => readonly LaterInput[];
  /** What comes in because of what happened, such as the event that a step begins to wait for. */
  readonly onChange?: (change: RunChange, key: string) => readonly LaterInput[];
  /** What comes in instead of a run that a step starts and whose playbook is not known; without it that is a fault of whoever plays. */
  readonly onStart?: (key: string, input: StartInput) => readonly LaterInput[];
}

const runsTopic = 'runs.v1';

export function createPlayer(options: PlayerOptions): Player {
  const { definitions, start, answer, onEvent = () => [], onChange = () => [], onStart } = options;
  const states = new Map<string, RunState | null>();
  const timers = new Map<string, { due: number; key: string; order: number }>();
  const queue: { due: number; order: number; key: string; input: RunInput }[] = [];
  const history: Played[] = [];
  const produced: { at: number; topic: string; value: unknown }[] = [];
  let now = start;
  let order = 0;

  const send = ({ afterMs, key, input }: LaterInput): void => {
    queue.push({ due: now + afterMs, order: order++, key, input });
  };

  function carryOut(key: string, effect: FoldEffect): void {
    if (effect.kind === 'timer') timers.set(effect.token, { due: effect.due, key, order: order++ });
    else if (effect.kind === 'cancel-timer') timers.delete(effect.token);
    else {
      const { topic, value, key: to } = effect.record;
      const content = JSON.parse(String(value)) as Record<string, unknown>;
      produced.push({ at: now, topic, value: content });
      const input = content as unknown as RunInput;
      if (topic === runsTopic) {
        const unknown = input.kind === 'start' && definitions(input.playbook, input.revision) === null;
        if (onStart !== undefined && unknown) for (const end of onStart(String(to), input)) send(end);
        else send({ afterMs: 0, key: String(to), input });
      } else if (topic.startsWith('commands.') && content['kind'] !== 'cancel')
        for (const one of answer(content as unknown as Command, now)) send(one);
      else if (topic === topics.events.name) for (const one of onEvent(content, now)) send(one);
    }
  }

  function next(): { due: number; key: string; input: RunInput } | null {
    let first = queue[0];
    let at = 0;
    for (const [index, one] of queue.entries())
      if (first === undefined || one.due < first.due || (one.due === first.due && one.order < first.order))
        [first, at] = [one, index];
    let timer: [string, { due: number; key: string; order: number }] | undefined;
    for (const entry of timers)
      if (
        timer === undefined ||
        entry[1].due < timer[1].due ||
        (entry[1].due === timer[1].due && entry[1].order < timer[1].order)
      )
        timer = entry;
    if (timer !== undefined && (first === undefined || timer[1].due < first.due)) {
      timers.delete(timer[0]);
      const { due, key } = timer[1];
      return { due, key, input: { kind: 'timer', token: timer[0], due, fired_at: due } };
    }
    if (first !== undefined) queue.splice(at, 1);
    return first ?? null;
  }

  return {
    get now() {
      return now;
    },
    send,
    play(limit = 100_000) {
      for (let count = 0; count < limit; count++) {
        const entry = next();
        if (entry === null) return true;
        now = Math.max(now, entry.due);
        const { key, input } = entry;
        const moment = { now, partition: 0, offset: history.length, key };
        const step = decideRun(states.get(key) ?? null, input, moment, {
          definitions,
          runsTopic,
          ...(options.commandTypes === undefined ? {} : { commandTypes: options.commandTypes }),
        });
        states.set(key, step.state);
        history.push({ at: now, key, input, changes: step.changes, state: step.state });
        for (const effect of step.effects) carryOut(key, effect);
        for (const change of step.changes) for (const later of onChange(change, key)) send(later);
      }
      return false;
    },
    state: (key) => states.get(key) ?? null,
    history,
    produced,
  };
}
