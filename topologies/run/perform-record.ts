// Records how a command ended, or that it waits: ledger, result, event, dead letters, and only then the offset.
//
// Invariant: a command's offset completes and its bytes are given back after its final outcome was acknowledged by the log.
// Where the log refuses the records of an outcome for good, a dead letter with the command's own bytes stands for them;
// where it refuses that as well, the service fails: nothing ends in silence.
//
// Surprise: the ledger is written first. A worker that dies in between leaves the records unwritten; the command is read
// again, answers from the ledger, and they are written then, under the same ids.
import type { Command } from '@tocsin/schemas/types.ts';
import type { Failed, Outcome } from '../domain/action/outcome.ts';
import { resultOf, resultRecord } from '../domain/action/results.ts';
import { letterOfRecord } from '../domain/dead-letter.ts';
import type { Clock } from '../ports/clock.ts';
import type { EffectsPort } from '../ports/effects.ts';
import type { OutRecord } from '../ports/log.ts';
import type { Logger } from '../ports/logger.ts';
import type { MetricsPort } from '../ports/metrics.ts';
import type { CommandRoom } from './command-room.ts';
import type { Outbox } from './outbox.ts';
import { endedEvent, type Job, nextOffsetOf, type Taken } from './perform-command.ts';

export interface RecorderOptions {
  readonly type: string;
  readonly service: string;
  readonly effects: EffectsPort;
  readonly outbox: Outbox;
  readonly room: CommandRoom;
  readonly clock: Clock;
  readonly metrics: MetricsPort;
  readonly logger: Logger;
  readonly signal: AbortSignal;
  /** Not even a dead letter can be written: the service must end. */
  readonly onFailure: (error: Error) => void;
}

export interface Recorder {
  /** A record that is no command: dead letter, then its offset. Rejects when the log refuses the letter. */
  refuse(taken: Taken, reason: string, detail: string): Promise<void>;
  /** The final outcome of an attempt that began at `startedAt` (epoch ms). */
  end(job: Job, outcome: Outcome, startedAt: number): Promise<void>;
  /** A command that the ledger answers: what its first reader may have left unwritten is written again. */
  repeat(job: Job, outcome: Outcome): Promise<void>;
  /** Another attempt follows; false when the service stopped first. `nextAttemptAt` null: when the destination is tried again. */
  retry(job: Job, failure: Failed, startedAt: number, nextAttemptAt: number | null): Promise<boolean>;
  /** Takes the mark of a beginning back, when nothing can have happened; false when the service stopped first. */
  release(command: Command): Promise<boolean>;
  /** Its outcome is recorded, or it has none to record. */
  complete(taken: Taken): void;
  /** Somebody else reads it again. */
  forget(taken: Taken): void;
}

/** Wait before a ledger that does not answer is asked again, ms. */
export const ledgerRetryMs = 1_000;

export function createRecorder(options: RecorderOptions): Recorder {
  const { type, service, effects, outbox, room, clock, metrics, logger, signal } = options;

  function complete(taken: Taken): void {
    const { batch, index, assignment } = taken;
    assignment.complete(batch.offset(index), nextOffsetOf(batch, index));
    room.giveBack(taken.bytes);
  }

  function letter(taken: Taken, reason: string, error: string, about: LetterFacts): OutRecord {
    metrics.count('tocsin_dead_letters_total', { service, reason });
    return letterOfRecord(taken.batch, taken.index, {
      stage: 'command',
      reason,
      error,
      service,
      at: clock.now(),
      ...about,
    });
  }

  /** One letter for a command that failed, one for every part that a command left undelivered. */
  function letters(job: Job, outcome: Outcome, attempts: number): OutRecord[] {
    const about = { attempts, commandId: job.command.command_id };
    if (outcome.status === 'failed') return [letter(job, outcome.code, outcome.detail, about)];
    return (outcome.undelivered ?? []).map((part) =>
      letter(job, part.code, part.detail, { ...about, part: part.to }),
    );
  }

  async function conclude(job: Job, records: readonly OutRecord[], outcome: Outcome): Promise<void> {
    try {
      await outbox.send(records);
    } catch (error) {
      if (signal.aborted) return;
      const { command_id } = job.command;
      logger.error('the log refuses the result of a command', { type, command_id, error: String(error) });
      const ended = outcome.status === 'done' ? 'succeeded' : `failed with ${outcome.code}`;
      const detail = `the command ${ended}; the log refuses its result: ${messageOf(error)}`;
      const about = { attempts: Math.max(1, job.attempts.count), commandId: command_id };
      try {
        await outbox.send([letter(job, 'unrecorded', detail, about)]);
      } catch (refused) {
        if (signal.aborted) return;
        options.onFailure(
          new Error(
            `command ${command_id} of ${service} ended and neither its result nor a dead letter can be written: ${messageOf(refused)}`,
            { cause: refused },
          ),
        );
        return;
      }
    }
    complete(job);
  }

  /** Repeats a write to the ledger until it is there; false when the service stops first. */
  async function inLedger(write: () => Promise<void>): Promise<boolean> {
    while (!signal.aborted) {
      try {
        await write();
        return true;
      } catch (error) {
        if (signal.aborted) break;
        metrics.count('tocsin_action_infrastructure_errors_total', { type });
        logger.warn('effects ledger not available, an entry waits', { type, error: String(error) });
        await clock.sleep(ledgerRetryMs, signal).catch(() => undefined);
      }
    }
    return false;
  }

  const release = (command: Command): Promise<boolean> => inLedger(() => effects.release(command.command_id));

  return {
    complete,
    release,
    forget: (taken) => room.giveBack(taken.bytes),
    async refuse(taken, reason, detail) {
      await outbox.send([letter(taken, reason, detail, { attempts: 0 })]);
      complete(taken);
    },
    async end(job, outcome, startedAt) {
      const { command, attempts } = job;
      const finishedAt = clock.now();
      const done = outcome.status === 'done';
      const held = !done && outcome.code === 'uncertain';
      if (!held && !(await inLedger(() => effects.finish(command.command_id, outcome, finishedAt)))) return;
      const status = done ? 'succeeded' : held ? 'held' : 'failed';
      metrics.count('tocsin_actions_total', { type, status, code: done ? '' : outcome.code });
      metrics.observe('tocsin_action_latency_seconds', (finishedAt - command.created_at) / 1000, { type });
      const result = resultOf(command, status, outcome, {
        attempt: attempts.count,
        startedAt,
        finishedAt,
        possibleDuplicate: attempts.possibleDuplicate,
      });
      const event = endedEvent(command, outcome, finishedAt, {
        attempts: attempts.count,
        duration_ms: finishedAt - startedAt,
        ...(held ? { status } : {}),
      });
      const records = [resultRecord(result), event, ...letters(job, outcome, attempts.count)];
      await conclude(job, records, outcome);
    },
    async repeat(job, outcome) {
      const { command } = job;
      const at = clock.now();
      metrics.count('tocsin_actions_total', { type, status: 'suppressed', code: '' });
      const result = resultOf(command, 'suppressed', outcome, {
        attempt: 0,
        startedAt: at,
        finishedAt: at,
        possibleDuplicate: false,
      });
      // How many attempts it took is not in the ledger: the event leaves it out, the letter says the least it can be.
      const records = [
        resultRecord(result),
        endedEvent(command, outcome, at, {}),
        ...letters(job, outcome, 1),
      ];
      await conclude(job, records, outcome);
    },
    async retry(job, failure, startedAt, nextAttemptAt) {
      const { command, attempts } = job;
      if (failure.uncertain !== true && !attempts.possibleDuplicate && !(await release(command)))
        return false;
      const result = resultOf(command, 'retrying', failure, {
        // One that was refused does not count, and was made.
        attempt: attempts.count + (attempts.refused === null ? 0 : 1),
        startedAt,
        finishedAt: clock.now(),
        possibleDuplicate: attempts.possibleDuplicate,
        ...(nextAttemptAt === null ? {} : { nextAttemptAt }),
      });
      metrics.count('tocsin_action_retries_total', { type, code: failure.code });
      try {
        await outbox.send([resultRecord(result)]);
      } catch (error) {
        // The announcement is for people; the command goes on without it.
        if (!signal.aborted) logger.warn('a retry could not be announced', { type, error: String(error) });
      }
      return !signal.aborted;
    },
  };
}

interface LetterFacts {
  readonly attempts: number;
  readonly commandId?: string;
  readonly part?: string;
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
