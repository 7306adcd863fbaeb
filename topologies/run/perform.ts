// Runs the commands of one action type: takes them, attempts them in the lane of their destination, and has the outcome recorded.
//
// Invariant: a command's offset completes after its final outcome was acknowledged by the log. A command that waits
// for a retry holds the commit (not its neighbours); after a restart it is read again and the ledger says what is known.

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
import { createLane, type Lane, type LaneSettings, type LaneVerdict } from './lane.ts';
import type { Outbox } from './outbox.ts';
import { type Job, readCommand } from './perform-command.ts';
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
  readonly connection: ConnectionLookup;
  readonly laneSettings: (connection: string | null) => LaneSettings;
  readonly clock: Clock;
  readonly metrics: MetricsPort;
  readonly logger: Logger;
  /** Ends waiting retries; their commands stay uncommitted. */
  readonly signal: AbortSignal;
  /** Bytes of commands taken and not finished, over all partitions; default 64 MiB. */
  readonly maxQueuedBytes?: number;
  /** An outcome cannot be recorded in any form: the service must end loudly; the command stays uncommitted. */
  readonly onFailure: (error: Error) => void;
  /** A destination that refuses us is waited for this long before its commands are given up, ms; default 24 h. */
  readonly pauseMaxMs?: number;
}

export function createPerformer(options: PerformOptions): BatchHandler {
  const { action, service, effects, outbox, clock, metrics, logger, signal, onFailure } = options;
  const { maxQueuedBytes = 64 * 1024 * 1024, pauseMaxMs = 24 * 3_600_000 } = options;
  const type = action.manifest.id;
  const lanes = new Map<string, Lane>();
  /** Attempts in progress by assignment: a revoke waits for them, not for commands that wait for a retry. */
  const running = new Map<Assignment, Set<Promise<unknown>>>();
  const room = createCommandRoom(maxQueuedBytes);
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
    onFailure,
  });

  function laneOf(command: Command): Lane {
    const id = command.connection ?? null;
    const name = id ?? '';
    let lane = lanes.get(name);
    if (lane === undefined) {
      lane = createLane({ settings: () => options.laneSettings(id), clock, signal });
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
    const connection = await connectionOf(job);
    if (job.attempts.possibleDuplicate) metrics.count('tocsin_action_possible_duplicates_total', { type });
    job.attempts = { ...job.attempts, count: job.attempts.count + 1 };
    const outcome =
      connection !== null && 'status' in connection ? connection : await execute(job, connection, startedAt);
    metrics.observe('tocsin_action_seconds', (clock.now() - startedAt) / 1000, { type });
    return settle(job, outcome, startedAt);
  }

  /** Rejects when it cannot be looked up now; nothing was attempted then, and the ledger knows it. */
  async function connectionOf(job: Job): Promise<ResolvedConnection | Failed | null> {
    if (action.manifest.connection === null) return null;
    const { connection, params } = job.command;
    if (connection === undefined && action.needsConnection?.(params) === false) return null;
    try {
      return await options.connection(connection ?? '');
    } catch (error) {
      if (!job.attempts.possibleDuplicate) await recorder.release(job.command);
      throw error;
    }
  }

  async function execute(job: Job, connection: ResolvedConnection | null, now: number): Promise<Outcome> {
    const { command, attempts } = job;
    try {
      return await action.execute(command, {
        ports: options.ports,
        connection,
        now,
        attempt: attempts.count,
        signal,
      });
    } catch (error) {
      logger.error('action threw', { type, command_id: command.command_id, error: String(error) });
      const detail = `the action threw: ${error instanceof Error ? error.message : String(error)}`;
      return { status: 'failed', code: 'bug', retry: 'never', detail };
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
    const nextAttemptAt = delayMs === null ? null : clock.now() + delayMs;
    if (await recorder.retry(job, failure, startedAt, nextAttemptAt)) again(job, delayMs ?? 0);
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

  function submit(job: Job): void {
    // After an attempt that counted it has lost its place among the commands of its key.
    const key = job.attempts.count === 0 ? (job.batch.key(job.index)?.toString('latin1') ?? null) : null;
    laneOf(job.command).submit({ key, run: () => run(job) });
  }

  async function take(batch: RecordBatch, index: number, assignment: Assignment): Promise<void> {
    const value = batch.value(index);
    const taken = { batch, index, assignment, bytes: value?.length ?? 0 };
    room.take(taken.bytes);
    if (value === null) return recorder.complete(taken);
    const parsed = readCommand(value, type);
    if ('reason' in parsed) return recorder.refuse(taken, parsed.reason, parsed.detail);
    submit({ ...taken, command: parsed.command, attempts: noAttempts });
  }

  return {
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
    },
  };
}
