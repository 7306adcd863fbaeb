// ./tocsin rules test DIR|FILE...: runs the tests written inside rules and shows a table of the results.
import { parseArgs } from 'node:util';
import { formatIssues } from '@tocsin/schemas/codecs/validate.ts';
import { parseInstant } from '@tocsin/topologies/domain/rules/instant.ts';
import { parseRule } from '@tocsin/topologies/domain/rules/parse-rule.ts';
import { runRuleTests } from '@tocsin/topologies/domain/rules/tests/run-tests.ts';
import { idOf, readRuleFiles } from './rules-files.ts';
import { type RulesIo, UsageError } from './rules-io.ts';

interface Row {
  readonly result: 'ok' | 'FAIL';
  readonly rule: string;
  readonly test: string;
  readonly detail: string;
}

/** 1 when a test fails or a rule cannot be used. */
export async function rulesTest(args: readonly string[], io: RulesIo): Promise<number> {
  const { values, positionals } = parseArgs({
    args: [...args],
    options: { now: { type: 'string' } },
    allowPositionals: true,
  });
  if (positionals.length === 0) throw new UsageError('name a folder or a file');
  const now = values.now === undefined ? Date.now() : parseInstant(values.now);
  if (now === undefined)
    throw new UsageError(`--now is a date such as 2026-04-28T12:00:00Z, not ${values.now}`);
  const { rules, lists, check, problems } = await readRuleFiles(positionals);
  const rows: Row[] = problems.map(({ file, path, message }) => ({
    result: 'FAIL',
    rule: file,
    test: '',
    detail: `${path === '' ? '' : `${path}: `}${message}`,
  }));
  let untested = 0;
  for (const { file, document } of rules) {
    const { rule, issues } = parseRule(document, check);
    if (rule === null) {
      rows.push({
        result: 'FAIL',
        rule: idOf(document),
        test: '',
        detail: `${file}: ${formatIssues(issues)}`,
      });
      continue;
    }
    const results = runRuleTests(rule, { now, lists });
    if (results.length === 0) untested += 1;
    for (const { name, ok, issues: failures } of results)
      rows.push({
        result: ok ? 'ok' : 'FAIL',
        rule: rule.document.id,
        test: name,
        detail: ok ? '' : `${file}: ${formatIssues(failures)}`,
      });
  }
  for (const line of tableLines(rows)) io.out(line);
  const failed = rows.filter(({ result }) => result === 'FAIL').length;
  io.err(
    `${rows.length - failed} passed, ${failed} failed, ${untested} of ${rules.length} rules have no tests`,
  );
  return failed > 0 ? 1 : 0;
}

function tableLines(rows: readonly Row[]): string[] {
  const width = (of: (row: Row) => string) => Math.max(0, ...rows.map((row) => of(row).length));
  const [first, second] = [width(({ rule }) => rule), width(({ test }) => test)];
  return rows.map(({ result, rule, test, detail }) =>
    `${result.padEnd(4)}  ${rule.padEnd(first)}  ${test.padEnd(second)}  ${detail}`.trimEnd(),
  );
}
