// Commands that are given up: the cancel record of a command breaks off its attempt, or ends it before it has one.
//
// Invariant: a cancel record completes when its command has ended, so that no crash forgets it: it comes after the command in the same
// partition, and is read again with it. A command that left the partition's log and waits in a timer is called back for its end.
//
// Surprise: a cancel may be read while its command is on its way out of a timer; it is remembered until the command comes.
import type { CommandCancel } from '@tocsin/schemas/types.ts';
import type { Parking } from './parking.ts';
import type { Job, Taken } from './perform-command.ts';

export interface Cancels {
  /** A cancel record was read. */
  take(taken: Taken, cancel: CommandCancel): void;
  /** A command of a cancellable type was taken. */
  arrived(job: Job): void;
  /** It has ended, waits in a timer, or belongs to somebody else. */
  gone(job: Job): void;
  onRevoked(partition: number): void;
}

/** Cancels that are remembered for commands to come. */
const remembered = 10_000;

export function createCancels(options: {
  readonly parking: Pick<Parking, 'callBack'>;
  readonly complete: (taken: Taken) => void;
  readonly forget: (taken: Taken) => void;
}): Cancels {
  const { parking, complete, forget } = options;
  const jobs = new Map<string, Set<Job>>();
  /** Cancel records whose commands have not ended. */
  const waiting = new Map<string, Taken[]>();
  /** Highest round that was given up, by command; the oldest are forgotten. */
  const rounds = new Map<string, { readonly round: number; readonly reason: string }>();

  function apply(job: Job): void {
    const { command_id: id, round = 1 } = job.command;
    const given = rounds.get(id);
    if (given !== undefined && given.round >= round) job.cancel?.abort(new Error(given.reason));
  }

  return {
    take(taken, { command_id: id, round, reason }) {
      if ((rounds.get(id)?.round ?? 0) < round) {
        rounds.delete(id);
        rounds.set(id, { round, reason });
      }
      for (const oldest of rounds.keys()) {
        if (rounds.size <= remembered) break;
        rounds.delete(oldest);
      }
      for (const job of jobs.get(id) ?? []) apply(job);
      const isHere = jobs.has(id);
      if (!isHere && !parking.callBack(taken.assignment.partition, id, round)) {
        complete(taken);
        return;
      }
      waiting.set(id, [...(waiting.get(id) ?? []), taken]);
    },
    arrived(job) {
      const { command_id: id } = job.command;
      jobs.set(id, (jobs.get(id) ?? new Set()).add(job));
      apply(job);
    },
    gone(job) {
      const { command_id: id } = job.command;
      const held = jobs.get(id);
      held?.delete(job);
      if ((held?.size ?? 0) > 0) return;
      jobs.delete(id);
      const round = rounds.get(id)?.round ?? 1;
      if (!waiting.has(id) || parking.callBack(job.assignment.partition, id, round)) return;
      for (const taken of waiting.get(id) ?? []) complete(taken);
      waiting.delete(id);
    },
    onRevoked(partition) {
      for (const [id, all] of waiting) {
        const kept = all.filter(({ assignment }) => assignment.partition !== partition);
        for (const taken of all) if (!kept.includes(taken)) forget(taken);
        if (kept.length > 0) waiting.set(id, kept);
        else waiting.delete(id);
      }
    },
  };
}
