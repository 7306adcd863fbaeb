// A dry run: what the action would send, as an outcome. Whatever goes wrong is the answer; nothing is tried again.
import type { Command } from '@tocsin/schemas/types.ts';
import type { Action, ResolvedConnection } from '../domain/action/define-action.ts';
import { withTemplates } from '../domain/action/fail.ts';
import type { Failed, Outcome } from '../domain/action/outcome.ts';

/** `now`: epoch ms. Never throws. */
export function dryOutcome(
  action: Pick<Action, 'preview'>,
  command: Command,
  connection: ResolvedConnection | Failed | null,
  now: number,
): Outcome {
  if (connection !== null && 'status' in connection) return connection;
  try {
    return withTemplates<Outcome>(() => action.preview(command, { connection, now }));
  } catch (error) {
    return thrown(error);
  }
}

/** The outcome of an action that threw: a defect. */
export function thrown(error: unknown): Failed {
  const detail = `the action threw: ${error instanceof Error ? error.message : String(error)}`;
  return { status: 'failed', code: 'bug', retry: 'never', detail };
}
