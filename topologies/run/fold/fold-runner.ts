// Runs a fold over its partitions: effects into the log first, then the changelog, then states and offset into the store, then
// the offset of the group.
//
// Invariant: a state never forgets an effect that is not in the log. Where to go on says the store, not the group: a store that
// went back in time is healed by replaying inputs, which gives the same effects under the same ids.

import { letterOfRecord, unreadableRecord } from '../../domain/dead-letter.ts';
import type { Clock } from '../../ports/clock.ts';
import type { FoldPlace, FoldStore, Loaded } from '../../ports/fold-store.ts';
import type {
  Assignment,
  BatchHandler,
  LogClient,
  LogConsumer,
  OutRecord,
  RecordBatch,
} from '../../ports/log.ts';
import type { Logger } from '../../ports/logger.ts';
import type { MetricsPort } from '../../ports/metrics.ts';
import type { Outbox } from '../outbox.ts';
import { type Applied, applyInputs, type FoldInput } from './apply-inputs.ts';
import type { Fold, FoldEffect } from './fold.ts';
import { readChangelog } from './rebuild.ts';
import { createStateCache, type StateCache } from './state-cache.ts';

/** Turns timer effects into records, and hears when they are in the log. */
export interface FoldTimers {
  record(partition: number, key: string, effect: Exclude<FoldEffect, { kind: 'produce' }>): OutRecord;
  onAssigned(assignment: Assignment): Promise<void>;
  onRevoked(partition: number): void;
  /** The records of these effects are acknowledged. */
  applied(partition: number, effects: readonly { key: string; effect: FoldEffect }[]): void;
}

export interface FoldRunnerOptions<State, Input> {
  readonly fold: Fold<State, Input>;
  readonly service: string;
  readonly client: Pick<LogClient, 'table'>;
  /** The consumer that this handler belongs to; asked when a partition must be read again. */
  readonly consumer: () => Pick<LogConsumer, 'seek'>;
  readonly store: FoldStore;
  readonly outbox: Outbox;
  readonly timers: FoldTimers | null;
  readonly clock: Clock;
  /** A new random token for each claim. */
  readonly newToken: () => string;
  readonly metrics: MetricsPort;
  readonly logger: Logger;
  readonly signal: AbortSignal;
  /** Inputs of one step, at most; default 256. Fewer for large states: a step writes all that it changes in one script. */
  readonly maxInputs?: number;
}

const defaultMaxInputs = 256;
/** Wait between two tries while the store does not answer, ms. */
const retryMs = 500;

interface Owned<State> {
  readonly place: FoldPlace;
  token: string;
  /** Last applied input. */
  offset: number | null;
  readonly cache: StateCache<State>;
}

/** A record in its batch. */
interface Place {
  readonly batch: RecordBatch;
  readonly index: number;
}

const offsetOf = ({ batch, index }: Place): number => batch.offset(index);

export function createFoldRunner<State, Input>(options: FoldRunnerOptions<State, Input>): BatchHandler {
  const { fold, service, store, outbox, timers, clock, metrics, logger, signal } = options;
  const { maxInputs = defaultMaxInputs } = options;
  const owned = new Map<number, Owned<State>>();

  /** Tries until the store answers; rejects when the partition or the service is gone. */
  async function insist<T>(assignment: Assignment, what: string, call: () => Promise<T>): Promise<T> {
    const gone = AbortSignal.any([assignment.signal, signal]);
    for (let attempt = 1; ; attempt++) {
      gone.throwIfAborted();
      try {
        return await call();
      } catch (error) {
        if (attempt === 1)
          logger.warn(`${what} failed, trying again`, { fold: fold.id, error: String(error) });
        await clock.sleep(retryMs, gone);
      }
    }
  }

  async function own(assignment: Assignment): Promise<Owned<State>> {
    const { partition } = assignment;
    const place = { fold: fold.id, partition };
    for (;;) {
      const token = options.newToken();
      const claimed = await insist(assignment, 'claim', () => store.claim(place, token, clock.now()));
      const state: Owned<State> = { place, token, offset: claimed.offset, cache: createStateCache() };
      const rebuilt = claimed.offset === null ? await rebuild(assignment, state) : claimed.offset;
      if (rebuilt !== 'fenced') {
        state.offset = rebuilt;
        owned.set(partition, state);
        return state;
      }
      // Another member claimed, or the store lost everything once more. Who is not the owner learns so by its heartbeats.
      await clock.sleep(retryMs, AbortSignal.any([assignment.signal, signal]));
    }
  }

  async function rebuild(
    assignment: Assignment,
    { place, token }: Owned<State>,
  ): Promise<number | null | 'fenced'> {
    const startedAt = clock.now();
    const { partition } = assignment;
    const { states, offset } = await insist(assignment, 'rebuild', () =>
      readChangelog(options.client, fold.changelog.name, partition),
    );
    if (offset === null) return null;
    const outcome = await insist(assignment, 'rebuild', async () => {
      if ((await store.clear(place, token)) === 'fenced') return 'fenced';
      if ((await store.restore(place, token, states)) === 'fenced') return 'fenced';
      const step = { from: null, to: offset, now: clock.now(), writes: [] };
      return (await store.advance(place, token, step)).status;
    });
    if (outcome !== 'ok') return 'fenced';
    metrics.count('tocsin_fold_rebuilds_total', { fold: fold.id });
    logger.warn('states were rebuilt from the changelog', {
      fold: fold.id,
      partition,
      states: states.length,
      offset,
      ms: clock.now() - startedAt,
    });
    return offset;
  }

  /** Reads the partition again from where the store stands; from `first` when nothing was ever applied. */
  async function readAgain(
    assignment: Assignment,
    found: { readonly status: string },
    first: number,
  ): Promise<false> {
    const { partition } = assignment;
    metrics.count('tocsin_fold_rewinds_total', { fold: fold.id, reason: found.status });
    logger.warn('the store stands elsewhere, reading again', { fold: fold.id, partition, ...found });
    // A member that was overtaken without knowing it learns so by its heartbeats; claiming back at once would race with it.
    if (found.status === 'fenced') await clock.sleep(retryMs, AbortSignal.any([assignment.signal, signal]));
    const { offset } = await own(assignment);
    options.consumer().seek(assignment, offset === null ? first : offset + 1);
    return false;
  }

  function deadLetter(batch: RecordBatch, index: number, reason: string, error: string): OutRecord {
    metrics.count('tocsin_dead_letters_total', { service, reason });
    const about = { stage: 'input' as const, reason, error, service, attempts: 1, at: clock.now() };
    return letterOfRecord(batch, index, about);
  }

  /** Brings the states of `keys` into the cache; what the store says when it stands elsewhere. */
  async function load(
    assignment: Assignment,
    held: Owned<State>,
    keys: readonly string[],
  ): Promise<Exclude<Loaded, { status: 'ok' }> | null> {
    const missing = keys.filter((key) => !held.cache.isFresh(key, clock.now()));
    if (missing.length === 0) return null;
    const { place, token, offset } = held;
    const found = await insist(assignment, 'load', () => store.load(place, token, offset, missing));
    if (found.status !== 'ok') return found;
    missing.forEach((key, k) => {
      const stored = found.states[k];
      const state = stored == null ? null : (JSON.parse(stored.body) as State);
      held.cache.put(key, { state, version: stored?.version ?? 0 }, stored?.body ?? null, clock.now());
    });
    return null;
  }

  /** What may vanish one day is over, and hardly asked for again. */
  function keep({ cache }: Owned<State>, { states, writes }: Applied<State, Input>): void {
    const bodies = new Map(writes.map(({ key, body }) => [key, body]));
    for (const [key, state] of states) cache.put(key, state, bodies.get(key) ?? null, clock.now());
    for (const { key, keepUntil } of writes) if (keepUntil !== null) cache.remove(key);
    cache.trim();
  }

  /** Consecutive records. False when the partition is read again, or gone. */
  async function runStep(records: readonly Place[], assignment: Assignment): Promise<boolean> {
    const { partition } = assignment;
    const held = owned.get(partition) ?? (await own(assignment));
    const inputs: FoldInput<Input>[] = [];
    const placeOf = new Map<number, Place>();
    const out: OutRecord[] = [];
    for (const place of records) {
      const { batch, index } = place;
      const offset = batch.offset(index);
      if (held.offset !== null && offset <= held.offset) continue;
      const read = fold.read(batch, index);
      if ('refuse' in read) {
        out.push(deadLetter(batch, index, read.refuse, read.detail));
        continue;
      }
      const timestamp = batch.timestamp(index);
      const now = timestamp >= 0 ? timestamp : 0;
      placeOf.set(offset, place);
      inputs.push({ input: read.input, moment: { now, partition, offset, key: read.key } });
    }
    const first = offsetOf(records[0]!);
    const last = offsetOf(records.at(-1)!);
    if (held.offset !== null && last <= held.offset) return true;
    const moved = await load(assignment, held, [...new Set(inputs.map(({ moment }) => moment.key))]);
    if (moved !== null) return readAgain(assignment, moved, first);
    await fold.prepare?.(
      inputs.map(({ input, moment }) => ({ state: held.cache.states.get(moment.key)?.state ?? null, input })),
      AbortSignal.any([assignment.signal, signal]),
    );
    const applied = applyInputs(fold, inputs, held.cache.states);
    for (const { input, error } of applied.faults) {
      logger.error('a step failed', { fold: fold.id, key: input.moment.key, error });
      const { batch, index } = placeOf.get(input.moment.offset)!;
      out.push(deadLetter(batch, index, 'step_failed', error));
    }
    for (const { key, effect } of applied.effects) {
      if (effect.kind === 'produce') out.push(effect.record);
      else if (timers !== null) out.push(timers.record(partition, key, effect));
      else throw new Error(`the fold ${fold.id} sets timers and has none`);
    }
    await outbox.send(out);
    const { name: topic } = fold.changelog;
    await outbox.send(applied.changes.map(({ key, text }) => ({ topic, key, partition, value: text })));
    timers?.applied(partition, applied.effects);
    const step = { from: held.offset, to: last, now: clock.now(), writes: applied.writes };
    const outcome = await insist(assignment, 'advance', () => store.advance(held.place, held.token, step));
    const done = outcome.status === 'ok' || (outcome.status === 'offset' && outcome.offset === last);
    if (!done) return readAgain(assignment, outcome, first);
    keep(held, applied);
    held.offset = last;
    metrics.count('tocsin_fold_inputs_total', { fold: fold.id }, inputs.length);
    return true;
  }

  async function runSteps(batches: readonly RecordBatch[], assignment: Assignment): Promise<void> {
    const records = batches.flatMap((batch) =>
      Array.from({ length: batch.count }, (_, index): Place => ({ batch, index })),
    );
    const { nextOffset } = batches.at(-1)!;
    try {
      if (records.length === 0) assignment.complete(nextOffset, nextOffset);
      for (let from = 0; from < records.length; from += maxInputs) {
        const step = records.slice(from, from + maxInputs);
        if (!(await runStep(step, assignment))) return;
        const next = records[from + maxInputs];
        assignment.complete(offsetOf(step[0]!), next === undefined ? nextOffset : offsetOf(next));
      }
    } catch (error) {
      if (!assignment.signal.aborted && !signal.aborted) throw error;
    }
  }

  return {
    async startAt(assignment) {
      try {
        const { offset } = await own(assignment);
        await timers?.onAssigned(assignment);
        return offset === null ? null : offset + 1;
      } catch (error) {
        if (!assignment.signal.aborted && !signal.aborted) throw error;
        return null;
      }
    },
    onBatch: (batch, assignment) => runSteps([batch], assignment),
    onBatches: runSteps,
    async onRevoked(assignment) {
      timers?.onRevoked(assignment.partition);
      owned.delete(assignment.partition);
    },
    async onUnreadable(range) {
      metrics.count('tocsin_dead_letters_total', { service, reason: 'unreadable' });
      await outbox.send([unreadableRecord(range, { stage: 'input', service, at: clock.now() })]);
    },
  };
}
