// Records how a command ended, or that it waits: ledger, result, event, answer, dead letters, and only then the offset.
//
// Invariant: a command's offset completes and its bytes are given back after its final outcome was acknowledged by the log.
// Where the log refuses the records of an outcome for good, a dead letter with the command's own bytes stands for them.
//
// Surprise: the ledger is written first. A worker that dies in between leaves the records unwritten; the command is read
// again, answers from the ledger, and they are written then, under the same ids.
import type { Command } from '@tocsin/schemas/types.ts';
import type { Failed, Outcome, Progress } from '../domain/action/outcome.ts';
import { resultOf, resultRecord } from '../domain/action/results.ts';
import type { Clock } from '../ports/clock.ts';
import type { EffectsPort } from '../ports/effects.ts';
import type { OutRecord } from '../ports/log.ts';
import type { Logger } from '../ports/logger.ts';
import type { MetricsPort } from '../ports/metrics.ts';
import type { CommandRoom } from './command-room.ts';
import type { Outbox } from './outbox.ts';
import { endedEvent, type Job, letterOf, nextOffsetOf, type Refused, type Taken } from './perform-command.ts';
import { createConclude, type Ending, type LetterFacts, refusalOf } from './perform-conclude.ts';
import { dryOutput, refusalReply, replyTo } from './perform-reply.ts';

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
  /** What was taken is no longer in memory: it is complete, or somebody else reads it again. */
  readonly onGone: (taken: Taken) => void;
  /** Not even a dead letter can be written: the service must end. */
  readonly onFailure: (error: Error) => void;
}

export interface Recorder {
  /** A record that is no command: dead letter, then its offset. Rejects when the log refuses the letter. */
  refuse(taken: Taken, refused: Refused): Promise<void>;
  /** What a dry run showed: result and answer, neither event nor dead letter, because nothing was to happen. */
  dry(taken: Taken, command: Command, outcome: Outcome): Promise<void>;
  /** The final outcome of an attempt that began at `startedAt` (epoch ms). */
  end(job: Job, outcome: Outcome, startedAt: number): Promise<void>;
  /** A command that the ledger answers: what its first reader may have left unwritten is written again. */
  repeat(job: Job, outcome: Outcome, possibleDuplicate: boolean): Promise<void>;
  /** Another attempt follows; false when the service stopped first. `nextAttemptAt` null: when the destination is tried again. */
  retry(job: Job, failure: Failed, startedAt: number, nextAttemptAt: number | null): Promise<boolean>;
  /** Takes the mark of a beginning back, when nothing can have happened; false when the service stopped first. */
  release(command: Command): Promise<boolean>;
  /** Keeps what an attempt has done, unless `isOver` says that it has ended meanwhile. */
  note(command: Command, progress: Progress, isOver: () => boolean): Promise<void>;
  /** Its outcome is recorded, or it has none to record. */
  complete(taken: Taken): void;
  /** Somebody else reads it again. */
  forget(taken: Taken): void;
}

/** Wait before a ledger that does not answer is asked again, ms. */
export const ledgerRetryMs = 1_000;

export function createRecorder(options: RecorderOptions): Recorder {
  const { type, service, effects, outbox, room, clock, metrics, logger, signal, onGone } = options;

  function complete(taken: Taken): void {
    const { batch, index, assignment } = taken;
    assignment.complete(batch.offset(index), nextOffsetOf(batch, index));
    forget(taken);
  }

  function forget(taken: Taken): void {
    room.giveBack(taken.bytes);
    onGone(taken);
  }

  function letter(taken: Taken, reason: string, error: string, about: LetterFacts): OutRecord {
    metrics.count('tocsin_dead_letters_total', { service, reason });
    return letterOf(taken, { reason, error, service, at: clock.now(), ...about });
  }

  /** One letter for a command that failed, one for every part that a command left undelivered. */
  function letters(job: Job, outcome: Outcome, attempts: number): OutRecord[] {
    const about = { attempts, ...factsOf(job) };
    if (outcome.status === 'failed') return [letter(job, outcome.code, outcome.detail, about)];
    return (outcome.undelivered ?? []).map((part) =>
      letter(job, part.code, part.detail, { ...about, part: part.to }),
    );
  }

  const conclude = createConclude({
    type,
    service,
    outbox,
    logger,
    signal,
    letter,
    complete,
    onFailure: options.onFailure,
  });

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
    forget,
    async note({ command_id }, progress, isOver) {
      await inLedger(async () => {
        if (!isOver()) await effects.note(command_id, progress, clock.now());
      });
    },
    async refuse(taken, { reason, detail, read }) {
      await outbox.send([letter(taken, reason, detail, { attempts: 0 })]);
      const reply = refusalReply(read, reason, detail);
      const refused = await refusalOf(outbox, reply);
      if (refused !== null) {
        if (signal.aborted) return;
        logger.error('the log refuses the answer to a command', { type, error: String(refused) });
      }
      complete(taken);
    },
    async dry(taken, command, outcome) {
      const at = clock.now();
      const status = outcome.status === 'done' ? 'succeeded' : 'failed';
      metrics.count('tocsin_actions_total', { type, status: 'dry_run', code: codeOf(outcome) });
      const moment = { attempt: 0, startedAt: at, finishedAt: at, possibleDuplicate: false };
      const shown: Outcome =
        outcome.status === 'done' ? { ...outcome, output: dryOutput(outcome.output) } : outcome;
      await conclude({
        taken,
        command,
        outcome,
        records: [resultRecord({ ...resultOf(command, status, outcome, moment), dry_run: true })],
        reply: replyTo(command, status, shown, 0),
        facts: { attempts: 0, commandId: command.command_id },
      });
    },
    async end(job, outcome, startedAt) {
      const { command, attempts } = job;
      const finishedAt = clock.now();
      const done = outcome.status === 'done';
      const held = !done && outcome.code === 'uncertain';
      if (
        !held &&
        !(await inLedger(() =>
          effects.finish(command.command_id, outcome, finishedAt, attempts.possibleDuplicate),
        ))
      )
        return;
      const status = done ? 'succeeded' : held ? 'held' : 'failed';
      metrics.count('tocsin_actions_total', { type, status, code: codeOf(outcome) });
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
      await conclude(endingOf(job, outcome, records, replyTo(command, status, outcome, attempts.count)));
    },
    async repeat(job, outcome, possibleDuplicate) {
      const { command } = job;
      const at = clock.now();
      metrics.count('tocsin_actions_total', { type, status: 'suppressed', code: '' });
      const result = resultOf(command, 'suppressed', outcome, {
        attempt: 0,
        startedAt: at,
        finishedAt: at,
        possibleDuplicate,
      });
      // How many attempts it took is not in the ledger: the event leaves it out, the letter says the least it can be.
      const records = [
        resultRecord(result),
        endedEvent(command, outcome, at, {}),
        ...letters(job, outcome, 1),
      ];
      const status = outcome.status === 'done' ? 'suppressed' : 'failed';
      await conclude(endingOf(job, outcome, records, replyTo(command, status, outcome, 0)));
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

function endingOf(
  job: Job,
  outcome: Outcome,
  records: readonly OutRecord[],
  reply: readonly OutRecord[],
): Ending {
  const facts = { attempts: Math.max(1, job.attempts.count), ...factsOf(job) };
  return { taken: job, command: job.command, outcome, records, reply, facts };
}

function factsOf({ command, attempts }: Job): Omit<LetterFacts, 'attempts'> {
  const { failedSince } = attempts;
  return { commandId: command.command_id, ...(failedSince === null ? {} : { firstAt: failedSince }) };
}

const codeOf = (outcome: Outcome): string => (outcome.status === 'done' ? '' : outcome.code);
