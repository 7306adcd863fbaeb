// ./tocsin test: lint, type check, unit tests, tests against real servers; the last line counts all of it.
// Invariant: exit code 0 only when nothing failed; in CI (variable CI) a skipped test counts as failed, so that nothing is lost in silence.
import { spawn } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { repository, tocsinHome } from '../home.ts';
import { countResults, sum, type Tally, tallyLine } from '../test-tally.ts';

type Check = { title: string; bin: string; args: string[] };

export async function run(args: string[]): Promise<number> {
  const reports = join(tocsinHome(), 'reports');
  mkdirSync(reports, { recursive: true });
  const tallies: Tally[] = [];
  if (args.length === 0) {
    tallies.push(await check({ title: 'lint', bin: 'biome', args: ['check', '.'] }));
    tallies.push(await check({ title: 'types', bin: 'tsc', args: ['--noEmit', '-p', '.'] }));
  }
  for (const project of ['unit', 'it'])
    tallies.push(await vitest(project, args, join(reports, `${project}.json`)));
  const total = sum(tallies);
  const strict = Boolean(process.env.CI) && process.env.CI !== 'false';
  for (const skipped of total.skips) console.log(`skipped: ${skipped}`);
  if (strict && total.skipped > 0) console.log('skipped tests fail here because CI is set');
  console.log(tallyLine(total));
  return total.failed > 0 || (strict && total.skipped > 0) ? 1 : 0;
}

async function check({ title, bin, args }: Check): Promise<Tally> {
  console.log(`\n== ${title}: ${[bin, ...args].join(' ')}`);
  const code = await execute(bin, args);
  if (code === 0) console.log('ok');
  return { passed: code === 0 ? 1 : 0, failed: code === 0 ? 0 : 1, skipped: 0, skips: [] };
}

async function vitest(project: string, filters: readonly string[], report: string): Promise<Tally> {
  const args = [
    'run',
    '--project',
    project,
    '--passWithNoTests',
    '--reporter=default',
    '--reporter=json',
    `--outputFile.json=${report}`,
  ];
  console.log(`\n== ${project} tests: vitest ${args.slice(0, 3).join(' ')}`);
  rmSync(report, { force: true });
  const code = await execute('vitest', [...args, ...filters]);
  let text: string | undefined;
  try {
    text = readFileSync(report, 'utf8');
  } catch {
    // No report: vitest ended before it could run anything, which countResults says.
  }
  return countResults(project, text, code);
}

function execute(bin: string, args: readonly string[]): Promise<number> {
  const child = spawn(join(repository, 'node_modules', '.bin', bin), args, {
    cwd: repository,
    stdio: 'inherit',
  });
  // Ctrl-C reaches the child too; we stay to report.
  const wait = () => {};
  process.on('SIGINT', wait);
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (code) => {
      process.off('SIGINT', wait);
      resolve(code ?? 1);
    });
  });
}
