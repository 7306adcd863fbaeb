// ./tocsin bench [name...]: without a name all of them, one after the other; `bench log` runs bench/log.bench.ts, `bench sink hec` runs bench/sink-hec.bench.ts.
// Invariant: stdout carries the benchmark's JSON only, so that it can be piped.
import { existsSync, globSync } from 'node:fs';
import { join } from 'node:path';
import { repository } from '../home.ts';
import { runScript } from './node-script.ts';

/** Names as they are typed, from the files there are. */
export function benchmarkNames(): string[] {
  const files = globSync('*.bench.ts', { cwd: join(repository, 'bench') });
  return files.map((file) => file.slice(0, -'.bench.ts'.length)).sort();
}

/** Splits `sink hec --seconds 5` into the file's name and the rest; the longest name that is a file wins. */
export function chooseBenchmark(
  words: readonly string[],
  names: readonly string[],
): { name: string; args: string[] } | undefined {
  for (let count = words.length; count > 0; count -= 1) {
    const name = words.slice(0, count).join('-');
    if (names.includes(name)) return { name, args: words.slice(count) };
  }
  return undefined;
}

export async function run(words: string[]): Promise<number> {
  const names = benchmarkNames();
  const choice = chooseBenchmark(words, names);
  if (choice !== undefined) {
    const file = `bench/${choice.name}.bench.ts`;
    if (existsSync(join(repository, file))) return runScript(file, choice.args);
  }
  if (words.length === 0) {
    for (const name of names) {
      const code = await runScript(`bench/${name}.bench.ts`, []);
      if (code !== 0) return code;
    }
    return 0;
  }
  const known =
    names.length === 0
      ? 'there are none yet'
      : `there are: ${names.map((name) => name.replaceAll('-', ' ')).join(', ')}`;
  console.error(`tocsin: no benchmark "${words.join(' ')}"; ${known}`);
  return 2;
}
