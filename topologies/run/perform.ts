// Runs the commands of one action type: ledger, attempt, result, dead letter, and only then the offset.
//
// Invariant: a command's offset completes after its final outcome was acknowledged by the log. A command that waits
// for a retry holds the commit (not its neighbours); after a restart it is read again and the ledger says what is known.

import type { Command } from '@tocsin/schemas/types.ts';
import type { Action, ActionPorts, ResolvedConnection } from '../domain/action/define-action.ts';
import type { Failed, Outcome } from '../domain/action/outcome.ts';
import { resultOf, resultRecord } from '../domain/action/results.ts';
import { nextDelay } from '../domain/action/retry-policy.ts';
import { letterOfRecord, unreadableRecord } from '../domain/dead-letter.ts';
import type { Clock } from '../ports/clock.ts';
import type { EffectsPort } from '../ports/effects.ts';
import type { Assignment, BatchHandler, OutRecord, RecordBatch } from '../ports/log.ts';
import type { Logger } from '../ports/logger.ts';
import type { MetricsPort } from '../ports/metrics.ts';
import { createLane, type Lane, type LaneSettings, type LaneVerdict } from './lane.ts';
import type { Outbox } from './outbox.ts';
import { endedEvent, isDown, nextOffsetOf, readCommand, uncertain } from './perform-command.ts';

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
  /** A destination that refuses us is waited for this long before its commands are given up, ms; default 24 h. */
  readonly pauseMaxMs?: number;
}

/** Wait before a ledger that does not answer is asked again, ms. */
const ledgerRetryMs = 1_000;

interface Job {
  readonly command: Command;
  readonly batch: RecordBatch;
  readonly index: number;
  readonly assignment: Assignment;
  readonly bytes: number;
  attempt: number;
  possibleDuplicate: boolean;
  pausedSince: number | null;
}

export function createPerformer(options: PerformOptions): BatchHandler {
  const { action, service, effects, outbox, clock, metrics, logger, signal } = options;
  const { maxQueuedBytes = 64 * 1024 * 1024, pauseMaxMs = 24 * 3_600_000 } = options;
  const type = action.manifest.id;
  const lanes = new Map<string, Lane>();
  /** Attempts in progress by assignment: a revoke waits for them, not for commands that wait for a retry. */
  const running = new Map<Assignment, Set<Promise<unknown>>>();
  let queuedBytes = 0;
  let wake: (() => void)[] = [];

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

  function completed(job: Pick<Job, 'batch' | 'index' | 'assignment' | 'bytes'>): void {
    const offset = job.batch.offset(job.index);
    job.assignment.complete(offset, nextOffsetOf(job.batch, job.index));
    forget(job);
  }

  function forget(job: Pick<Job, 'bytes'>): void {
    queuedBytes -= job.bytes;
    const resumed = wake;
    wake = [];
    for (const resume of resumed) resume();
  }

  async function room(abort: AbortSignal): Promise<void> {
    while (queuedBytes >= maxQueuedBytes && !abort.aborted && !signal.aborted)
      await new Promise<void>((resolve) => {
        wake.push(resolve);
        abort.addEventListener('abort', () => resolve(), { once: true });
      });
  }

  function letter(job: Omit<Job, 'command'>, reason: string, error: string, commandId?: string): OutRecord {
    const { batch, index } = job;
    metrics.count('tocsin_dead_letters_total', { service, reason });
    return letterOfRecord(batch, index, {
      stage: 'command',
      reason,
      error,
      service,
      attempts: job.attempt,
      at: clock.now(),
      ...(commandId === undefined ? {} : { commandId }),
    });
  }

  // Records of a finished command, then its offset. A log that refuses for good is a bug that must not pass silently.
  async function conclude(job: Job, records: readonly OutRecord[]): Promise<void> {
    try {
      await outbox.send(records);
      completed(job);
    } catch (error) {
      if (!signal.aborted)
        logger.error('outcome could not be recorded', {
          command_id: job.command.command_id,
          error: String(error),
        });
    }
  }

  async function finish(job: Job, outcome: Outcome, startedAt: number): Promise<void> {
    const { command } = job;
    const finishedAt = clock.now();
    const done = outcome.status === 'done';
    const held = !done && outcome.code === 'uncertain';
    if (!held && !(await inLedger(() => effects.finish(command.command_id, outcome, finishedAt)))) return;
    const status = done ? 'succeeded' : held ? 'held' : 'failed';
    metrics.count('tocsin_actions_total', { type, status, code: done ? '' : outcome.code });
    metrics.observe('tocsin_action_latency_seconds', (finishedAt - command.created_at) / 1000, { type });
    const result = resultOf(command, status, outcome, {
      attempt: job.attempt,
      startedAt,
      finishedAt,
      possibleDuplicate: job.possibleDuplicate,
    });
    const records = [
      resultRecord(result),
      endedEvent(command, outcome, finishedAt, {
        attempts: job.attempt,
        duration_ms: finishedAt - startedAt,
        ...(held ? { status } : {}),
      }),
    ];
    if (!done) records.push(letter(job, outcome.code, outcome.detail, command.command_id));
    await conclude(job, records);
  }

  // Takes the mark in the ledger back where nothing can have happened, says that there will be another attempt, waits.
  async function later(job: Job, outcome: Failed, delayMs: number, startedAt: number): Promise<void> {
    const { command } = job;
    const now = clock.now();
    if (outcome.uncertain !== true && !(await inLedger(() => effects.release(command.command_id)))) return;
    const result = resultOf(command, 'retrying', outcome, {
      attempt: job.attempt,
      startedAt,
      finishedAt: now,
      possibleDuplicate: job.possibleDuplicate,
      nextAttemptAt: now + delayMs,
    });
    metrics.count('tocsin_action_retries_total', { type, code: outcome.code });
    await outbox.send([resultRecord(result)]).catch(() => undefined);
    void clock.sleep(delayMs, signal).then(
      () => submit(job),
      () => undefined,
    );
  }

  /** Repeats a write to the ledger until it is there; false when the service stops first. */
  async function inLedger(write: () => Promise<void>): Promise<boolean> {
    for (;;) {
      try {
        await write();
        return true;
      } catch (error) {
        if (signal.aborted) return false;
        metrics.count('tocsin_action_infrastructure_errors_total', { type });
        logger.warn('effects ledger not available, an entry waits', { type, error: String(error) });
        await clock.sleep(ledgerRetryMs, signal).catch(() => undefined);
        if (signal.aborted) return false;
      }
    }
  }

  // Beside the lane: the receiver is free for the next command while this one is recorded.
  function settle(job: Job, outcome: Outcome, startedAt: number): LaneVerdict {
    const end = (final: Outcome): void => track(job.assignment, finish(job, final, startedAt));
    if (outcome.status === 'done' || outcome.retry === 'never') {
      end(outcome);
      return 'up';
    }
    const verdict = outcome.retry === 'pause' ? 'pause' : isDown(outcome) ? 'down' : 'up';
    if (outcome.uncertain === true && holds(job.command)) {
      end(uncertain(outcome.detail));
      return verdict;
    }
    if (outcome.uncertain === true) job.possibleDuplicate = true;
    let delay: number | null = 0;
    if (outcome.retry === 'pause') {
      job.pausedSince ??= clock.now();
      if (clock.now() - job.pausedSince > pauseMaxMs) delay = null;
      else job.attempt -= 1;
    } else delay = nextDelay(job.command.retry ?? {}, job.attempt, job.command.command_id, outcome);
    if (delay === null)
      end({ ...outcome, detail: `gave up after ${job.attempt} attempts: ${outcome.detail}` });
    else track(job.assignment, later(job, outcome, delay, startedAt));
    return verdict;
  }

  const holds = (command: Command): boolean =>
    (command.on_uncertain ?? (action.manifest.idempotency === 'key' ? 'retry' : 'hold')) === 'hold';

  async function attempt(job: Job): Promise<LaneVerdict> {
    const { command } = job;
    const startedAt = clock.now();
    const state = await effects.begin(command.command_id, startedAt);
    if (state.state === 'finished') {
      metrics.count('tocsin_actions_total', { type, status: 'suppressed', code: '' });
      const { outcome } = state;
      const result = resultOf(command, 'suppressed', outcome, {
        attempt: 0,
        startedAt,
        finishedAt: startedAt,
        possibleDuplicate: false,
      });
      // A worker that died between the ledger and the log left these unwritten; if it did not, they repeat under the same ids.
      const records = [resultRecord(result), endedEvent(command, outcome, startedAt, { attempts: 0 })];
      if (outcome.status === 'failed')
        records.push(letter(job, outcome.code, outcome.detail, command.command_id));
      await conclude(job, records);
      return 'up';
    }
    if (state.state === 'uncertain' && !job.possibleDuplicate) {
      if (holds(command)) {
        await finish(job, uncertain('an earlier attempt was begun and its outcome is not known'), startedAt);
        return 'up';
      }
      job.possibleDuplicate = true;
    }
    if (job.possibleDuplicate) metrics.count('tocsin_action_possible_duplicates_total', { type });
    job.attempt += 1;
    const outcome = await execute(job, startedAt);
    metrics.observe('tocsin_action_seconds', (clock.now() - startedAt) / 1000, { type });
    return settle(job, outcome, startedAt);
  }

  async function execute(job: Job, now: number): Promise<Outcome> {
    const { command } = job;
    let connection: ResolvedConnection | null = null;
    if (action.manifest.connection !== null) {
      const found = await options.connection(command.connection ?? '');
      if ('status' in found) return found;
      connection = found;
    }
    try {
      return await action.execute(command, {
        ports: options.ports,
        connection,
        now,
        attempt: job.attempt,
        signal,
      });
    } catch (error) {
      logger.error('action threw', { type, command_id: command.command_id, error: String(error) });
      return {
        status: 'failed',
        code: 'bug',
        retry: 'never',
        detail: error instanceof Error ? error.message : String(error),
      };
    }
  }

  // The ledger and the log may be unreachable: nothing is known to have happened then, so the job simply comes again.
  async function guarded(job: Job): Promise<LaneVerdict> {
    if (job.assignment.signal.aborted) {
      // The partition has another owner now, who reads the command again.
      forget(job);
      return 'up';
    }
    try {
      return await attempt(job);
    } catch (error) {
      if (!signal.aborted) {
        metrics.count('tocsin_action_infrastructure_errors_total', { type });
        logger.warn('ledger or log not available, command waits', { type, error: String(error) });
        void clock.sleep(ledgerRetryMs, signal).then(
          () => submit(job),
          () => undefined,
        );
      }
      return 'up';
    }
  }

  function track(assignment: Assignment, work: Promise<unknown>): void {
    const open = running.get(assignment) ?? new Set();
    running.set(assignment, open);
    open.add(work);
    void work
      .catch((error: unknown) =>
        logger.error('outcome could not be recorded', { type, error: String(error) }),
      )
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
    const key = job.attempt === 0 ? (job.batch.key(job.index)?.toString('latin1') ?? null) : null;
    laneOf(job.command).submit({ key, run: () => run(job) });
  }

  async function take(batch: RecordBatch, index: number, assignment: Assignment): Promise<void> {
    const value = batch.value(index);
    const bytes = value?.length ?? 0;
    queuedBytes += bytes;
    const base = {
      batch,
      index,
      assignment,
      bytes,
      attempt: 0,
      possibleDuplicate: false,
      pausedSince: null,
    };
    if (value === null) return completed(base);
    const parsed = readCommand(value, type);
    if ('reason' in parsed) {
      await outbox.send([letter(base, parsed.reason, parsed.detail)]);
      return completed(base);
    }
    submit({ ...base, command: parsed.command });
  }

  return {
    async onUnreadable(range) {
      metrics.count('tocsin_dead_letters_total', { service, reason: 'unreadable' });
      await outbox.send([unreadableRecord(range, { stage: 'command', service, at: clock.now() })]);
    },
    async onBatch(batch, assignment) {
      for (let index = 0; index < batch.count; index += 1) {
        await room(assignment.signal);
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
