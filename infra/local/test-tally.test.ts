// What failed in any way counts; what was skipped is named.
import { expect, it } from 'vitest';
import { countResults, sum, tallyLine } from './test-tally.ts';

const report = (files: object[]) => JSON.stringify({ testResults: files });
const test = (status: string, fullName = status) => ({ status, fullName });

it('counts passed, failed, skipped and todo', () => {
  const assertionResults = [
    test('passed'),
    test('passed', 'b'),
    test('failed'),
    test('skipped'),
    test('todo'),
    test('pending'),
  ];
  const tally = countResults('unit', report([{ name: 'a.test.ts', status: 'failed', assertionResults }]), 1);
  expect(tally).toMatchObject({ passed: 2, failed: 1, skipped: 3 });
  expect(tally.skips[0]).toBe('unit: a.test.ts: skipped');
});

it('counts a file that does not load, beside the others', () => {
  const files = [
    { name: 'a', status: 'failed', assertionResults: [] },
    { name: 'b', status: 'passed', assertionResults: [test('passed')] },
  ];
  expect(countResults('unit', report(files), 1)).toMatchObject({ passed: 1, failed: 1 });
});

it('counts a run without a report, and a run that failed with nothing but passed tests', () => {
  expect(countResults('it', undefined, 1).failed).toBe(1);
  const files = [{ name: 'b', status: 'passed', assertionResults: [test('passed')] }];
  expect(countResults('it', report(files), 1)).toMatchObject({ passed: 1, failed: 1 });
  expect(countResults('it', report(files), 0)).toMatchObject({ passed: 1, failed: 0 });
});

it('adds up and prints one line', () => {
  const one = { passed: 1, failed: 2, skipped: 3, skips: ['x'] };
  expect(tallyLine(sum([one, one]))).toBe('2 passed, 4 failed, 6 skipped');
});
