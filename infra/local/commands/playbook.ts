// ./tocsin playbook <test>: each subcommand is a file of its own, loaded when it runs.
//
// Surprise: nothing is started and nothing is sent; exit codes as with `rules`: 0 all is well, 1 a problem in what was read or a
// run that did not complete, 2 typed wrong.
import { isUsageError, type RulesIo } from './rules-io.ts';

const usage =
  'usage: ./tocsin playbook test FILE --event FILE [--answers FILE] [--config DIR] [--start TIME] [--json]\n\n' +
  'plays a playbook in memory on a virtual clock and prints what happens when';

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
  if (name !== 'test') {
    io.err(`tocsin: no command "playbook ${name}"; there is: test`);
    return 2;
  }
  try {
    const { playbookTest } = await import('./playbook-test.ts');
    return await playbookTest(args, io);
  } catch (error) {
    if (!isUsageError(error)) throw error;
    io.err(`tocsin: ${error.message}\n${usage}`);
    return 2;
  }
}
