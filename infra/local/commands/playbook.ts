// ./tocsin playbook <test|import|export>: each subcommand is a file of its own, loaded when it runs.
//
// Surprise: nothing is started and nothing is sent; exit codes as with `rules`: 0 all is well, 1 a problem in what was read or a
// run that did not complete, 2 typed wrong.
import { isUsageError, type RulesCommand, type RulesIo } from './rules-io.ts';

const usage = `usage: ./tocsin playbook test FILE --event FILE [--answers FILE] [--config DIR] [--start TIME] [--json]
       ./tocsin playbook import FILE --from cacao [--out FILE]
       ./tocsin playbook export FILE --to cacao [--out FILE]

test plays a playbook in memory on a virtual clock and prints what happens when; import makes a playbook, switched off, of a
CACAO 2.0 playbook; export writes one as a CACAO 2.0 playbook and keeps its identifiers in FILE`;

const commands: Readonly<Record<string, () => Promise<RulesCommand>>> = {
  test: async () => (await import('./playbook-test.ts')).playbookTest,
  import: async () => (await import('./playbook-import.ts')).playbookImport,
  export: async () => (await import('./playbook-export.ts')).playbookExport,
};

const terminal: RulesIo = {
  out: (line) => void process.stdout.write(`${line}\n`),
  err: (line) => void process.stderr.write(`${line}\n`),
};

export const run = (args: string[]): Promise<number> => runPlaybook(args, terminal);

/** Runs one subcommand. */
export async function runPlaybook([name = 'help', ...args]: readonly string[], io: RulesIo): Promise<number> {
  if (['help', '--help', '-h'].includes(name) || args.includes('--help') || args.includes('-h')) {
    io.out(usage);
    return 0;
  }
  const load = Object.hasOwn(commands, name) ? commands[name] : undefined;
  if (load === undefined) {
    io.err(`tocsin: no command "playbook ${name}"; there are: ${Object.keys(commands).join(', ')}`);
    return 2;
  }
  try {
    return await (await load())(args, io);
  } catch (error) {
    if (!isUsageError(error)) throw error;
    io.err(`tocsin: ${error.message}\n${usage}`);
    return 2;
  }
}
