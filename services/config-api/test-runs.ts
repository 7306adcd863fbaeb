// For tests: the state machine of runs behind the API, in memory, and its projection in the database of the test.

import { createRunStore } from '@tocsin/adapters/postgres/run-store.ts';
import type { Db } from '@tocsin/adapters/postgres/schema.ts';
import type { Playbook, PlaybookStep, RunInput } from '@tocsin/schemas/types.ts';
import type { RunState } from '@tocsin/topologies/domain/playbooks/machine/state.ts';
import { programOf } from '@tocsin/topologies/domain/playbooks/play-kit.ts';
import { rowsOf } from '@tocsin/topologies/domain/playbooks/projection.ts';
import { type RunEvent, readRunEvent } from '@tocsin/topologies/domain/playbooks/run-change.ts';
import { createRunFold } from '@tocsin/topologies/domain/playbooks/run-fold.ts';
import { LogError, type OutRecord } from '@tocsin/topologies/ports/log.ts';
import { applyInputs, type HeldState } from '@tocsin/topologies/run/fold/apply-inputs.ts';
import { topics } from '@tocsin/topologies/topics.ts';

export interface TestRuns {
  readonly producer: { send(records: readonly OutRecord[]): Promise<void> };
  /** Every input that was written, in order. */
  readonly inputs: { readonly key: string; readonly input: RunInput }[];
  /** Of the engine itself: events and commands. */
  readonly produced: { readonly topic: string; readonly value: Record<string, unknown> }[];
  /** work: inputs are applied and projected at once. hold: they wait. fail: the log refuses them. */
  mode: 'work' | 'hold' | 'fail';
  /** Applies what was held. */
  release(): Promise<void>;
  /** Applies one input, as from elsewhere. */
  apply(key: string, input: RunInput): Promise<RunEvent>;
  /** Tokens and times of timers that are set. */
  readonly timers: ReadonlyMap<string, number>;
}

/** Playbook `p`, revision 1, written by `author`. */
export function createTestRuns(
  db: () => Db,
  steps: readonly PlaybookStep[],
  more: Partial<Playbook> = {},
): TestRuns {
  const program = programOf(steps, more);
  const fold = createRunFold({
    definitions: (_id, revision) => (revision === 1 ? program : null),
    input: topics.runs,
    changelog: topics.runEvents,
  });
  const states = new Map<string, HeldState<RunState>>();
  const timers = new Map<string, number>();
  const held: { key: string; input: RunInput }[] = [];
  let offset = 0;

  const runs: TestRuns = {
    inputs: [],
    produced: [],
    timers,
    mode: 'work',
    producer: {
      async send(records) {
        if (runs.mode === 'fail') throw new LogError('broker away', { retriable: true });
        for (const record of records) {
          if (record.topic !== topics.runs.name) throw new Error(`unexpected topic ${record.topic}`);
          const one = { key: String(record.key), input: JSON.parse(String(record.value)) as RunInput };
          runs.inputs.push(one);
          if (runs.mode === 'hold') held.push(one);
          else await runs.apply(one.key, one.input);
        }
      },
    },
    async release() {
      for (const { key, input } of held.splice(0)) await runs.apply(key, input);
    },
    async apply(key, input) {
      const moment = { now: Date.now(), partition: 0, offset: offset++, key };
      const applied = applyInputs(fold, [{ input, moment }], states);
      states.set(key, applied.states.get(key) ?? { state: null, version: 0 });
      const read = readRunEvent(Buffer.from(applied.changes[0]?.text ?? ''));
      if (!('event' in read)) throw new Error(read.detail);
      await createRunStore(db()).write([rowsOf(read.event)]);
      for (const { effect } of applied.effects)
        if (effect.kind === 'timer') timers.set(effect.token, effect.due);
        else if (effect.kind === 'cancel-timer') timers.delete(effect.token);
        else
          runs.produced.push({
            topic: effect.record.topic,
            value: JSON.parse(String(effect.record.value)) as Record<string, unknown>,
          });
      return read.event;
    },
  };
  return runs;
}
