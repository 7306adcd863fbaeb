// Entry of ./tocsin: finds the command's file, runs it, turns an error into one readable message and exit code 1.
import { commands } from './commands/table.ts';

const [name = 'help', ...args] = process.argv.slice(2);
const aliases: Record<string, string> = {
  '-h': 'help',
  '--help': 'help',
  '-v': 'version',
  '--version': 'version',
};
const command = commands[aliases[name] ?? name];

if (command === undefined) {
  console.error(`tocsin: no command "${name}"; ./tocsin help lists them`);
  process.exitCode = 2;
} else {
  try {
    process.exitCode = await (await command.load())(args);
  } catch (error) {
    const debug = process.env.LOG_LEVEL === 'debug';
    console.error(`tocsin: ${debug ? (error as Error).stack : (error as Error).message}`);
    process.exitCode = 1;
  }
}
