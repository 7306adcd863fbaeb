// The last writes of a command: its records and its answer, and a dead letter for what the log does not take.
//
// Invariant: nothing completes before the log has acknowledged the records, or a letter that stands for them. Where it refuses that
// as well the service fails: nothing ends in silence.
import type { Command } from '@tocsin/schemas/types.ts';
import type { Outcome } from '../domain/action/outcome.ts';
import type { OutRecord } from '../ports/log.ts';
import type { Logger } from '../ports/logger.ts';
import type { Outbox } from './outbox.ts';
import type { Taken } from './perform-command.ts';

export interface LetterFacts {
  readonly attempts: number;
  readonly commandId?: string;
  readonly part?: string;
  readonly firstAt?: number;
}

export interface Ending {
  readonly taken: Taken;
  readonly command: Command;
  readonly outcome: Outcome;
  readonly records: readonly OutRecord[];
  /** To whoever waits for the command; sent together with the records. */
  readonly reply: readonly OutRecord[];
  /** For a dead letter about what the log refuses. */
  readonly facts: LetterFacts;
}

export interface ConcludeOptions {
  readonly type: string;
  readonly service: string;
  readonly outbox: Outbox;
  readonly logger: Logger;
  readonly signal: AbortSignal;
  readonly letter: (taken: Taken, reason: string, error: string, about: LetterFacts) => OutRecord;
  readonly complete: (taken: Taken) => void;
  readonly onFailure: (error: Error) => void;
}

export function createConclude(options: ConcludeOptions): (ending: Ending) => Promise<void> {
  const { type, service, outbox, logger, signal, letter, complete } = options;

  /** Sends records and answer together. What the log refuses is told in a dead letter; a refused result does not keep the answer back, nor the other way round. */
  return async function conclude(ending: Ending): Promise<void> {
    const { taken, command, outcome, records, reply, facts } = ending;
    const whole = (await refusalOf(outbox, [...records, ...reply])) === null;
    const parts = whole ? [] : [['result', records] as const, ['answer', reply] as const];
    for (const [what, part] of parts) {
      const error = await refusalOf(outbox, part);
      if (signal.aborted) return;
      if (error === null) continue;
      const { command_id } = command;
      logger.error(`the log refuses the ${what} of a command`, { type, command_id, error: String(error) });
      const ended = outcome.status === 'done' ? 'succeeded' : `failed with ${outcome.code}`;
      const detail = `the command ${ended}; the log refuses its ${what}: ${messageOf(error)}`;
      const refusedToo = await refusalOf(outbox, [letter(taken, 'unrecorded', detail, facts)]);
      if (refusedToo === null) continue;
      if (signal.aborted) return;
      options.onFailure(
        new Error(
          `command ${command_id} of ${service} ended and neither its ${what} nor a dead letter can be written: ${messageOf(refusedToo)}`,
          { cause: refusedToo },
        ),
      );
      return;
    }
    complete(taken);
  };
}

/** Why the log does not take the records; null when it does. */
export async function refusalOf(outbox: Outbox, records: readonly OutRecord[]): Promise<unknown> {
  try {
    await outbox.send(records);
    return null;
  } catch (error) {
    return error ?? new Error('refused');
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
