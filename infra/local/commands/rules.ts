// ./tocsin rules <match|lint|explain|test|backtest|import>: each subcommand is a file of its own, loaded when it runs.
//
// Surprise: no servers are fetched or started here; only backtest talks to Kafka, and to one that runs already.
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { isUsageError, type RulesCommand, type RulesIo } from './rules-io.ts';

interface Subcommand {
  readonly usage: string;
  readonly summary: string;
  /** Name of the function that rules-<name>.ts exports. */
  readonly function: string;
}

export const subcommands: Readonly<Record<string, Subcommand>> = {
  match: {
    usage:
      'match --rules FILE|DIR --events FILE.jsonl [--format tocsin|sigma|eventbridge] [--repeat N] [--out FILE]',
    summary: 'which rules match which lines, and how fast',
    function: 'rulesMatch',
  },
  lint: {
    usage: 'lint FILE|DIR...',
    summary: 'errors in rules, and rules that can never or always match',
    function: 'rulesLint',
  },
  explain: {
    usage: 'explain --rule FILE --event FILE',
    summary: 'the verdict of every condition of one rule for one event',
    function: 'rulesExplain',
  },
  test: { usage: 'test DIR', summary: 'run the tests written inside rules', function: 'rulesTest' },
  backtest: {
    usage: 'backtest --rule FILE --from TIME --to TIME',
    summary: 'a candidate rule over past records of a topic, against the live one; acts on nothing',
    function: 'rulesBacktest',
  },
  import: {
    usage: 'import --format sigma|eventbridge FILE|DIR... [--out DIR]',
    summary: 'rules of another language as rules of this one',
    function: 'rulesImport',
  },
};

const terminal: RulesIo = {
  out: (line) => void process.stdout.write(`${line}\n`),
  err: (line) => void process.stderr.write(`${line}\n`),
};

export function run(args: string[]): Promise<number> {
  // Whoever reads the output may stop before its end, as `| head` does.
  process.stdout.once('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') process.exit(0);
    throw error;
  });
  return runRules(args, terminal);
}

/** Runs one subcommand. 0: all is well, 1: a problem in what was read, 2: typed wrong. */
export async function runRules([name = 'help', ...args]: readonly string[], io: RulesIo): Promise<number> {
  if (name === 'help' || name === '--help' || name === '-h') {
    for (const line of help()) io.out(line);
    return 0;
  }
  const subcommand = Object.hasOwn(subcommands, name) ? subcommands[name] : undefined;
  if (subcommand === undefined) {
    io.err(`tocsin: no command "rules ${name}"; there are: ${Object.keys(subcommands).join(', ')}`);
    return 2;
  }
  if (args.includes('--help') || args.includes('-h')) {
    io.out(`usage: ./tocsin rules ${subcommand.usage}\n\n${subcommand.summary}`);
    return 0;
  }
  try {
    return await (await load(name, subcommand))(args, io);
  } catch (error) {
    if (!isUsageError(error)) throw error;
    io.err(`tocsin: ${error.message}\nusage: ./tocsin rules ${subcommand.usage}`);
    return 2;
  }
}

async function load(name: string, subcommand: Subcommand): Promise<RulesCommand> {
  const file = new URL(`./rules-${name}.ts`, import.meta.url);
  if (!existsSync(fileURLToPath(file))) throw new Error(`this checkout has no "rules ${name}"`);
  const loaded = (await import(file.href)) as Record<string, RulesCommand | undefined>;
  const command = loaded[subcommand.function];
  if (command === undefined) throw new Error(`rules-${name}.ts exports no ${subcommand.function}`);
  return command;
}

function help(): string[] {
  return [
    'usage: ./tocsin rules <command>',
    '',
    ...Object.values(subcommands).flatMap(({ usage, summary }) => [`  ${usage}`, `      ${summary}`]),
    '',
    'Exit codes: 0 all is well, 1 a problem in what was read, 2 typed wrong.',
  ];
}
