// What every `./tocsin rules ...` command is handed and how it ends.
//
// Exit codes: 0 all is well, 1 a problem in what was read (a rule, an event, a file), 2 the command was typed wrong.
// stdout carries results only, so that it can be piped; everything about them goes to stderr.

export interface RulesIo {
  /** One line of the result. */
  out(line: string): void;
  /** One line for the person. */
  err(line: string): void;
}

/** A subcommand: the arguments after its name, and the exit code. */
export type RulesCommand = (args: readonly string[], io: RulesIo) => Promise<number>;

/** The command was typed wrong; the message is shown with a hint to the help, exit code 2. */
export class UsageError extends Error {}

/** True for what node:util parseArgs throws about unknown options and missing values too. */
export function isUsageError(error: unknown): error is Error {
  if (error instanceof UsageError) return true;
  const code = (error as { code?: unknown } | null)?.code;
  return typeof code === 'string' && code.startsWith('ERR_PARSE_ARGS');
}
