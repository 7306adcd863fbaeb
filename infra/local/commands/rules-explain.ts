// ./tocsin rules explain --rule FILE --event FILE: the verdict of every condition of one rule for one event or row.
//
// The surprise: a rule that does not match is an answer, not a fault: the exit code is 0.
import { parseArgs } from 'node:util';
import { readDocuments } from '@tocsin/adapters/config/directory.ts';
import { checkDocument, formatIssues } from '@tocsin/schemas/codecs/validate.ts';
import { explainRule } from '@tocsin/topologies/domain/rules/explain/explain.ts';
import { explanationLines } from '@tocsin/topologies/domain/rules/explain/explain-text.ts';
import { parseInstant } from '@tocsin/topologies/domain/rules/instant.ts';
import { parseRule } from '@tocsin/topologies/domain/rules/parse-rule.ts';
import type { RuleSource, Subject } from '@tocsin/topologies/domain/rules/path.ts';
import { chooseRule, readRuleFiles } from './rules-files.ts';
import { type RulesIo, UsageError } from './rules-io.ts';

type Fields = Readonly<Record<string, unknown>>;

/** A tree, `+` for what holds and `-` for what does not. 1 when the rule or the event cannot be used. */
export async function rulesExplain(args: readonly string[], io: RulesIo): Promise<number> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      rule: { type: 'string' },
      id: { type: 'string' },
      event: { type: 'string' },
      row: { type: 'string', default: '0' },
      now: { type: 'string' },
      config: { type: 'string' },
      json: { type: 'boolean', default: false },
    },
  });
  if (values.rule === undefined || values.event === undefined)
    throw new UsageError('--rule and --event are needed');
  const files = await readRuleFiles([values.rule, ...(values.config === undefined ? [] : [values.config])]);
  const own = await readRuleFiles([values.rule]);
  for (const { file, path, message } of own.problems) io.err(`${file}: ${path}: ${message}`);
  if (own.rules.length === 0 && own.problems.length > 0) return 1;
  const { document } = chooseRule(own.rules, values.id, values.rule);
  const { rule, issues } = parseRule(document);
  if (rule === null) {
    io.err(`${values.rule}: ${formatIssues(issues)}`);
    return 1;
  }
  const now = values.now === undefined ? Date.now() : parseInstant(values.now);
  if (now === undefined)
    throw new UsageError(`--now is a date such as 2026-04-28T12:00:00Z, not ${values.now}`);
  const subject = await readSubject(values.event, rule.document.source ?? 'events', values.row);
  if (typeof subject === 'string') {
    io.err(`${values.event}: ${subject}`);
    return 1;
  }
  const explanation = explainRule(rule, subject, { now, lists: files.lists });
  if (values.json) io.out(JSON.stringify(explanation));
  else {
    io.out(`rule ${rule.document.id} ${explanation.holds ? 'matches' : 'does not match'}`);
    for (const line of explanationLines(explanation)) io.out(line);
  }
  return 0;
}

/** The first document of a file as what a rule looks at, or what is wrong with it. */
async function readSubject(file: string, source: RuleSource, row: string): Promise<Subject | string> {
  const documents = await readDocuments(file);
  if (typeof documents === 'string') {
    if (documents.includes('ENOENT')) throw new UsageError(`there is no ${file}`);
    return documents;
  }
  const [given] = documents;
  if (source === 'events') {
    const issues = checkDocument('envelope.json', given);
    return issues.length > 0 ? formatIssues(issues) : { source, fields: given as Fields, search: null };
  }
  if (!/^\d{1,9}$/.test(row)) throw new UsageError(`--row is a number from 0 on, not ${row}`);
  const issues = checkDocument('search-result.json', given);
  if (issues.length > 0) return formatIssues(issues);
  const { rows, ...search } = given as Fields & { rows: readonly Fields[] };
  const fields = rows[Number(row)];
  return fields === undefined ? `there is no row ${row}, only ${rows.length}` : { source, fields, search };
}
