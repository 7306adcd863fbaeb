// From attempt to attempt: a command goes through the lane of its destination until it ends, waits in memory, or is parked.
//
// Invariant: what leaves memory without an end has its timer in the log, or belongs to another owner of the partition.
import type { Command } from '@tocsin/schemas/types.ts';
import type { ResolvedConnection } from '../domain/action/define-action.ts';
import type { Failed, Outcome, Progress } from '../domain/action/outcome.ts';
import type { IntakePace } from './intake-pace.ts';
import { createLane, type Lane, type LaneVerdict } from './lane.ts';
import type { OpenWork } from './open-work.ts';
import type { Parking } from './parking.ts';
import type { PerformOptions } from './perform.ts';
import { executeInTime } from './perform-attempt.ts';
import { type Job, keyOf, originOf } from './perform-command.ts';
import { thrown } from './perform-dry.ts';
import { type Attempts, givenUp, judgeAttempt, uncertain } from './perform-judge.ts';
import { ledgerRetryMs, type Recorder } from './perform-record.ts';

/** Commands wait for their next attempt in memory for so long after they were taken and failed, ms. */
export const inlineMs = 5_000;

export interface Runner {
  /** Brings a command to its destination, as soon as that takes it. */
  submit(job: Job): void;
  /** The lane of a destination: id of a connection, '' without one. */
  lane(destination: string): Lane;
}

export function createRunner(
  options: PerformOptions,
  parts: {
    readonly recorder: Recorder;
    readonly parking: Parking;
    readonly work: OpenWork;
    readonly pace: IntakePace;
    /** Rejects when it cannot be looked up now. */
    readonly connectionOf: (command: Command) => Promise<ResolvedConnection | Failed | null>;
  },
): Runner {
  const { action, effects, clock, metrics, logger, signal, pauseMaxMs = 24 * 3_600_000 } = options;
  const { recorder, parking, work, pace, connectionOf } = parts;
  const type = action.manifest.id;
  const lanes = new Map<string, Lane>();

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

  const holds = ({ on_uncertain, params }: Command): boolean => {
    const idempotency = action.idempotencyOf?.(params) ?? action.manifest.idempotency;
    return (on_uncertain ?? (idempotency === 'key' ? 'retry' : 'hold')) === 'hold';
  };

  async function attempt(job: Job): Promise<LaneVerdict> {
    const { command } = job;
    const startedAt = clock.now();
    const state = await effects.begin(command.command_id, startedAt, command.round);
    if (state.state === 'finished') {
      const { outcome, possibleDuplicate = false } = state;
      work.track(job.assignment, recorder.repeat(job, outcome, possibleDuplicate));
      return 'up';
    }
    // Somebody asked for another round knowing how the one before ended: it is not held.
    if (state.state === 'reopened' && state.possibleDuplicate)
      job.attempts = { ...job.attempts, possibleDuplicate: true, reopened: true };
    if (state.state === 'uncertain' && !job.attempts.possibleDuplicate) {
      if (holds(command)) {
        const outcome = uncertain('an earlier attempt was begun and its outcome is not known');
        work.track(job.assignment, recorder.end(job, outcome, startedAt));
        return 'up';
      }
      job.attempts = { ...job.attempts, possibleDuplicate: true };
    }
    const { progress } = state;
    if (progress !== undefined) job.attempts = { ...job.attempts, progress };
    const connection = await connectionOf(command).catch(async (error: unknown) => {
      if (!job.attempts.possibleDuplicate) await recorder.release(command);
      throw error;
    });
    if (job.attempts.possibleDuplicate) metrics.count('tocsin_action_possible_duplicates_total', { type });
    job.attempts = { ...job.attempts, count: job.attempts.count + 1 };
    const outcome =
      connection !== null && 'status' in connection ? connection : await execute(job, connection, startedAt);
    metrics.observe('tocsin_action_seconds', (clock.now() - startedAt) / 1000, { type });
    if (!isCancelled(job)) return settle(job, outcome, startedAt);
    const { reason } = job.cancel?.signal ?? {};
    const begun = isBegun(job.attempts) || job.attempts.progress !== undefined;
    return settle(job, givenUp(outcome, begun, messageOf(reason)), startedAt);
  }

  async function execute(job: Job, connection: ResolvedConnection | null, now: number): Promise<Outcome> {
    const { command, attempts } = job;
    let isOver = false;
    const note = async (noted: Progress): Promise<void> => {
      if (isOver) return;
      job.attempts = { ...job.attempts, progress: noted };
      await recorder.note(command, noted, () => isOver);
    };
    try {
      const { count: attempt, possibleDuplicate, progress } = attempts;
      const context = {
        ports: options.ports,
        connection,
        now,
        attempt,
        possibleDuplicate,
        begun: isBegun(attempts),
        ...(progress === undefined ? {} : { progress }),
        note,
        signal,
      };
      if (job.cancel === undefined) return await executeInTime(action, command, context, clock);
      return await action.execute(command, {
        ...context,
        cancel: job.cancel.signal,
        signal: AbortSignal.any([signal, job.assignment.signal]),
      });
    } catch (error) {
      logger.error('action threw', { type, command_id: command.command_id, error: String(error) });
      return thrown(error);
    } finally {
      isOver = true;
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
    work.track(
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
    if (isCancelled(job)) run(job);
    else if (await park(job, null)) lane.look();
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
    const ended = pace.begin();
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
    } finally {
      ended();
    }
  }

  function run(job: Job): Promise<LaneVerdict> {
    const verdict = guarded(job);
    work.track(job.assignment, verdict);
    return verdict;
  }

  // After an attempt that counted it has lost its place among the commands of its key.
  function laneKey(job: Job): string | null {
    return job.attempts.count === 0 ? (keyOf(job)?.toString('latin1') ?? null) : null;
  }

  const isCancelled = ({ cancel }: Job): boolean => cancel?.signal.aborted === true;

  function submit(job: Job): void {
    // It ends with one attempt, which the host of the destination may not even see.
    if (isCancelled(job)) {
      run(job);
      return;
    }
    const lane = laneOf(job.command.connection ?? '');
    lane.submit({
      key: laneKey(job),
      run: () => run(job),
      leave: () => work.track(job.assignment, leave(job, lane)),
    });
  }

  return { submit, lane: laneOf };
}

/** An attempt of this round may have had its effect. */
function isBegun({ possibleDuplicate, reopened }: Attempts): boolean {
  return possibleDuplicate && reopened !== true;
}

function messageOf(reason: unknown): string {
  return reason instanceof Error ? reason.message : String(reason);
}
