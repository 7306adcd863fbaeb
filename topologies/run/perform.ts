// Runs the commands of one action type: takes them, attempts them in the lane of their destination, and has the outcome recorded.
//
// Invariant: a command's offset completes after its final outcome, or the timer that brings it back, was acknowledged by the log.
// A command that waits for seconds holds the commit (not its neighbours); one that waits for longer is parked and does not.
//
// Surprise: what was parked and not committed when a worker died is read again; its pending timer says that it is to be left alone,
// and the ledger what is known when the timer has fired already.

import type { Command } from '@tocsin/schemas/types.ts';
import type { Action, ActionPorts, ResolvedConnection } from '../domain/action/define-action.ts';
import type { Failed, Outcome } from '../domain/action/outcome.ts';
import { unreadableRecord } from '../domain/dead-letter.ts';
import type { Clock } from '../ports/clock.ts';
import type { EffectsPort } from '../ports/effects.ts';
import type { Assignment, BatchHandler, RecordBatch } from '../ports/log.ts';
import type { Logger } from '../ports/logger.ts';
import type { MetricsPort } from '../ports/metrics.ts';
import { createCommandRoom } from './command-room.ts';
import type { Timers } from './fold/timers.ts';
import { createLane, type Lane, type LaneSettings, type LaneVerdict } from './lane.ts';
import type { Outbox } from './outbox.ts';
import { createParking } from './parking.ts';
import { executeInTime } from './perform-attempt.ts';
import { type Job, keyOf, offsetOf, originOf, readRecord, type Taken } from './perform-command.ts';
import { dryOutcome, thrown } from './perform-dry.ts';
import { judgeAttempt, noAttempts, uncertain } from './perform-judge.ts';
import { createRecorder, ledgerRetryMs } from './perform-record.ts';

/** The connection of a command as it is now, or why it cannot be had. */
export type ConnectionLookup = (id: string) => Promise<ResolvedConnection | Failed>;

export interface PerformOptions {
  readonly action: Action;
  /** Name in dead letters and metrics, for example actions/webhook. */
  readonly service: string;
  readonly ports: Partial<ActionPorts>;
  readonly effects: EffectsPort;
  readonly outbox: Outbox;
  /** Of the command topic, with the same outbox: commands that wait for long become its timers. */
  readonly timers: Timers;
  readonly connection: ConnectionLookup;
  readonly laneSettings: (connection: string | null) => LaneSettings;
  readonly clock: Clock;
  readonly metrics: MetricsPort;
  readonly logger: Logger;
  /** Ends waiting retries; their commands stay uncommitted. */
  readonly signal: AbortSignal;
  /** Bytes of commands taken and not finished, over all partitions; default 64 MiB. */
  readonly maxQueuedBytes?: number;
  /** Characters of commands that are parked; default 256 Mi. Beyond it commands wait in memory and hold their offsets. */
  readonly maxParkedChars?: number;
  /** An outcome cannot be recorded in any form: the service must end loudly; the command stays uncommitted. */
  readonly onFailure: (error: Error) => void;
  /** A destination that refuses us is waited for this long before its commands are given up, ms; default 24 h. */
  readonly pauseMaxMs?: number;
}

export interface Performer extends BatchHandler {
  /** The connection is another one now: commands that wait for its destination are tried at once. */
  connectionChanged(id: string): void;
}

/** Commands wait for their next attempt in memory for so long after they were taken and failed, ms. */
export const inlineMs = 5_000;

export function createPerformer(options: PerformOptions): Performer {
  const { action, service, effects, outbox, timers, clock, metrics, logger, signal, onFailure } = options;
  const { maxQueuedBytes = 64 * 1024 * 1024, pauseMaxMs = 24 * 3_600_000 } = options;
  const { maxParkedChars = 256 * 1024 * 1024 } = options;
  const type = action.manifest.id;
  const lanes = new Map<string, Lane>();
  /** Attempts in progress by assignment: a revoke waits for them, not for commands that wait for a retry. */
  const running = new Map<Assignment, Set<Promise<unknown>>>();
  const room = createCommandRoom(maxQueuedBytes);
  /** Commands in memory by id, each with those of the same id that wait until it is gone. */
  const present = new Map<string, Job[]>();
  const parking = createParking({
    type,
    timers,
    outbox,
    clock,
    metrics,
    logger,
    maxChars: maxParkedChars,
  });
  const recorder = createRecorder({
    type,
    service,
    effects,
    outbox,
    room,
    clock,
    metrics,
    logger,
    signal,
    onGone,
    onFailure,
  });

  /** `name`: id of a connection, '' without one. */
  function laneOf(name: string): Lane {
    let lane = lanes.get(name);
    if (lane === undefined) {
      const id = name === '' ? null : name;
      lane = createLane({
        settings: () => options.laneSettings(id),
        clock,
        signal,
        holdMs: inlineMs,
        recall: (most) => parking.recall(name, most),
      });
      lanes.set(name, lane);
    }
    return lane;
  }

  const holds = (command: Command): boolean =>
    (command.on_uncertain ?? (action.manifest.idempotency === 'key' ? 'retry' : 'hold')) === 'hold';

  async function attempt(job: Job): Promise<LaneVerdict> {
    const { command } = job;
    const startedAt = clock.now();
    const state = await effects.begin(command.command_id, startedAt);
    if (state.state === 'finished') {
      track(job.assignment, recorder.repeat(job, state.outcome));
      return 'up';
    }
    if (state.state === 'uncertain' && !job.attempts.possibleDuplicate) {
      if (holds(command)) {
        const outcome = uncertain('an earlier attempt was begun and its outcome is not known');
        track(job.assignment, recorder.end(job, outcome, startedAt));
        return 'up';
      }
      job.attempts = { ...job.attempts, possibleDuplicate: true };
    }
    const connection = await connectionOf(command).catch(async (error: unknown) => {
      if (!job.attempts.possibleDuplicate) await recorder.release(command);
      throw error;
    });
    if (job.attempts.possibleDuplicate) metrics.count('tocsin_action_possible_duplicates_total', { type });
    job.attempts = { ...job.attempts, count: job.attempts.count + 1 };
    const outcome =
      connection !== null && 'status' in connection ? connection : await execute(job, connection, startedAt);
    metrics.observe('tocsin_action_seconds', (clock.now() - startedAt) / 1000, { type });
    return settle(job, outcome, startedAt);
  }

  /** Rejects when it cannot be looked up now. */
  async function connectionOf(command: Command): Promise<ResolvedConnection | Failed | null> {
    return action.manifest.connection === null ? null : options.connection(command.connection ?? '');
  }

  async function execute(job: Job, connection: ResolvedConnection | null, now: number): Promise<Outcome> {
    const { command, attempts } = job;
    try {
      const context = { ports: options.ports, connection, now, attempt: attempts.count, signal };
      return await executeInTime(action, command, context, clock);
    } catch (error) {
      logger.error('action threw', { type, command_id: command.command_id, error: String(error) });
      return thrown(error);
    }
  }

  // Beside the lane: the receiver is free for the next command while this one is recorded.
  function settle(job: Job, outcome: Outcome, startedAt: number): LaneVerdict {
    const { command } = job;
    const { verdict, attempts, next } = judgeAttempt(job.attempts, outcome, clock.now(), {
      commandId: command.command_id,
      retry: command.retry ?? {},
      hold: holds(command),
      pauseMaxMs,
    });
    job.attempts = attempts;
    track(
      job.assignment,
      next.step === 'end'
        ? recorder.end(job, next.outcome, startedAt)
        : later(job, next.failure, next.delayMs, startedAt),
    );
    return verdict;
  }

  async function later(job: Job, failure: Failed, delayMs: number | null, startedAt: number): Promise<void> {
    const now = clock.now();
    const nextAttemptAt = delayMs === null ? null : now + delayMs;
    job.inlineUntil ??= now + inlineMs;
    if (!(await recorder.retry(job, failure, startedAt, nextAttemptAt))) return;
    if (nextAttemptAt === null) submit(job);
    else if (nextAttemptAt <= job.inlineUntil || !(await park(job, nextAttemptAt)))
      again(job, nextAttemptAt - clock.now());
  }

  /** False: the command cannot be parked and is still here. */
  async function park(job: Job, due: number | null): Promise<boolean> {
    const { command, assignment, attempts } = job;
    // Somebody else has the partition and reads the command again.
    if (assignment.signal.aborted) recorder.forget(job);
    else {
      const away = due === null ? (command.connection ?? '') : null;
      const parked = { origin: originOf(job), attempts, waits: job.waits + 1, away };
      if (!(await parking.park(assignment.partition, command.command_id, parked, due))) return false;
      recorder.complete(job);
    }
    return true;
  }

  /** The destination is away for long, as far as one knows. */
  async function leave(job: Job, lane: Lane): Promise<void> {
    if (await park(job, null)) lane.look();
    else lane.submit({ key: laneKey(job), run: () => run(job) });
  }

  function again(job: Job, delayMs: number): void {
    void clock.sleep(delayMs, signal).then(
      () => submit(job),
      () => undefined,
    );
  }

  // The ledger and the configuration may be unreachable: nothing is known to have happened then, so the job simply comes again.
  async function guarded(job: Job): Promise<LaneVerdict> {
    if (job.assignment.signal.aborted) {
      // The partition has another owner now, who reads the command again.
      recorder.forget(job);
      return 'up';
    }
    try {
      return await attempt(job);
    } catch (error) {
      if (!signal.aborted) {
        metrics.count('tocsin_action_infrastructure_errors_total', { type });
        logger.warn('effects ledger or connection not available, command waits', {
          type,
          error: String(error),
        });
        again(job, ledgerRetryMs);
      }
      return 'up';
    }
  }

  function track(assignment: Assignment, work: Promise<unknown>): void {
    const open = running.get(assignment) ?? new Set();
    running.set(assignment, open);
    open.add(work);
    void work
      // The recorder answers for everything that can be expected; what is left is a defect, and its command has no outcome.
      .catch((error: unknown) => onFailure(error instanceof Error ? error : new Error(String(error))))
      .finally(() => {
        open.delete(work);
        if (open.size === 0) running.delete(assignment);
      });
  }

  function run(job: Job): Promise<LaneVerdict> {
    const verdict = guarded(job);
    track(job.assignment, verdict);
    return verdict;
  }

  // After an attempt that counted it has lost its place among the commands of its key.
  function laneKey(job: Job): string | null {
    return job.attempts.count === 0 ? (keyOf(job)?.toString('latin1') ?? null) : null;
  }

  function submit(job: Job): void {
    const lane = laneOf(job.command.connection ?? '');
    lane.submit({
      key: laneKey(job),
      run: () => run(job),
      leave: () => track(job.assignment, leave(job, lane)),
    });
  }

  /** Commands of one id one after the other: each finds in the ledger what became of the one before it. */
  function begin(job: Job): void {
    // Read again after a crash, or fired twice: its timer is still to come.
    if (parking.has(job.assignment.partition, offsetOf(job))) recorder.complete(job);
    else submit(job);
  }

  function onGone(taken: Taken): void {
    const id = 'command' in taken ? (taken as Job).command.command_id : null;
    if (id === null) return;
    const next = present.get(id)?.shift();
    if (next === undefined) present.delete(id);
    else begin(next);
  }

  async function take(batch: RecordBatch, index: number, assignment: Assignment): Promise<void> {
    const value = batch.value(index);
    const bytes = value?.length ?? 0;
    room.take(bytes);
    if (value === null) return recorder.complete({ batch, index, assignment, bytes });
    const read = readRecord(value, type);
    const { parked } = read;
    const taken: Taken = {
      batch,
      index,
      assignment,
      bytes,
      ...(parked === undefined ? {} : { origin: parked.origin }),
    };
    if ('reason' in read) return recorder.refuse(taken, read);
    const { command } = read;
    if (command.dry_run === true) return track(assignment, dryRun(taken, command));
    const { attempts, waits } = parked ?? { attempts: noAttempts, waits: 0 };
    const job: Job = { ...taken, command, attempts, waits, inlineUntil: null };
    if (parked !== undefined) parking.arrived(assignment.partition, command.command_id, parked);
    const others = present.get(command.command_id);
    if (others !== undefined) others.push(job);
    else {
      present.set(command.command_id, []);
      begin(job);
    }
  }

  /** Beside ledger and lane: nothing happens that they could guard. */
  async function dryRun(taken: Taken, command: Command): Promise<void> {
    while (!taken.assignment.signal.aborted && !signal.aborted)
      try {
        const connection = await connectionOf(command);
        return await recorder.dry(taken, command, dryOutcome(action, command, connection, clock.now()));
      } catch (error) {
        logger.warn('connection not available, a dry run waits', { type, error: String(error) });
        await clock.sleep(ledgerRetryMs, signal).catch(() => undefined);
      }
    recorder.forget(taken);
  }

  return {
    connectionChanged: (id) => lanes.get(id)?.tryNow(),
    async startAt(assignment) {
      try {
        for (const away of await parking.onAssigned(assignment)) laneOf(away).look();
      } catch (error) {
        if (!assignment.signal.aborted && !signal.aborted) throw error;
      }
      return null;
    },
    async onUnreadable(range) {
      metrics.count('tocsin_dead_letters_total', { service, reason: 'unreadable' });
      await outbox.send([unreadableRecord(range, { stage: 'command', service, at: clock.now() })]);
    },
    async onBatch(batch, assignment) {
      for (let index = 0; index < batch.count; index += 1) {
        await room.wait(assignment.signal, signal);
        if (assignment.signal.aborted || signal.aborted) return;
        await take(batch, index, assignment);
      }
    },
    async onRevoked(assignment) {
      // Work that ends may have begun other work: an attempt begins the recording of its outcome.
      for (let open = running.get(assignment); open !== undefined; open = running.get(assignment))
        await Promise.allSettled(open);
      parking.onRevoked(assignment.partition);
    },
  };
}
