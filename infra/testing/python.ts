// Programs in Python with one package of PyPI: implementations that share nothing with ours.
//
// Surprise: of the package only its own files are fetched, so it has to be one that needs nothing but the standard library for its use.
import { spawnSync } from 'node:child_process';
import { cachedFolder, must } from './cache.ts';

/**
 * Runs `program`, which reads JSON from its standard input and writes JSON, with `requirement` (`name==version`) to import. Throws one
 * line that says what is missing, or what the program complained of.
 */
export async function runInPython(requirement: string, program: string, input: unknown): Promise<unknown> {
  if (spawnSync('python3', ['-m', 'pip', '--version']).status !== 0)
    throw new Error('python3 with pip is needed for this test: apt-get install -y python3 python3-pip');
  const folder = await cachedFolder(`python-${requirement.replace('==', '-')}`, (target) =>
    must('python3', [
      '-m',
      'pip',
      'install',
      '--quiet',
      '--no-deps',
      '--no-compile',
      '--target',
      target,
      requirement,
    ]),
  );
  const run = spawnSync('python3', ['-c', program], {
    input: JSON.stringify(input),
    encoding: 'utf8',
    maxBuffer: 64 * 1024 * 1024,
    env: { ...process.env, PYTHONPATH: folder, PYTHONDONTWRITEBYTECODE: '1' },
  });
  if (run.status !== 0) throw new Error(`python3 failed: ${run.stderr}`);
  return JSON.parse(run.stdout) as unknown;
}
