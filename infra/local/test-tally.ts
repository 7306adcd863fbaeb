// Adds up what vitest's JSON reporter wrote.
// Invariant: a run that failed without a failed test (a file that does not load, a server that does not start, an unhandled error)
// counts as one failure.

export type Tally = { passed: number; failed: number; skipped: number; skips: string[] };

type Report = {
  testResults: {
    name: string;
    status: string;
    assertionResults: { status: string; fullName: string }[];
  }[];
};

/** Counts one project's run. `text` is the report, undefined when there is none; `exitCode` is vitest's. */
export function countResults(project: string, text: string | undefined, exitCode: number): Tally {
  const tally: Tally = { passed: 0, failed: 0, skipped: 0, skips: [] };
  const report = text === undefined ? undefined : (JSON.parse(text) as Report);
  for (const file of report?.testResults ?? []) {
    const failedBefore = tally.failed;
    for (const test of file.assertionResults) {
      if (test.status === 'passed') tally.passed += 1;
      else if (test.status === 'failed') tally.failed += 1;
      else {
        tally.skipped += 1;
        tally.skips.push(`${project}: ${file.name}: ${test.fullName}`);
      }
    }
    if (file.status === 'failed' && tally.failed === failedBefore) tally.failed += 1;
  }
  if (exitCode !== 0 && tally.failed === 0) tally.failed = 1;
  return tally;
}

export function sum(tallies: readonly Tally[]): Tally {
  const total: Tally = { passed: 0, failed: 0, skipped: 0, skips: [] };
  for (const tally of tallies) {
    total.passed += tally.passed;
    total.failed += tally.failed;
    total.skipped += tally.skipped;
    total.skips.push(...tally.skips);
  }
  return total;
}

export const tallyLine = (tally: Tally): string =>
  `${tally.passed} passed, ${tally.failed} failed, ${tally.skipped} skipped`;
