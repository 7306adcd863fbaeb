// ./tocsin rules lint FILE|DIR...: errors in rules, and what is suspicious in them, one line each.
import { parseArgs } from 'node:util';
import { lintRule } from '@tocsin/topologies/domain/rules/lint/lint.ts';
import { type FileDocument, idOf, readRuleFiles } from './rules-files.ts';
import { type RulesIo, UsageError } from './rules-io.ts';

/** `file: rule/id/when/...: severity: message`. 1 when there is an error or a warning; information alone is 0. */
export async function rulesLint(args: readonly string[], io: RulesIo): Promise<number> {
  const { positionals } = parseArgs({ args: [...args], options: {}, allowPositionals: true });
  if (positionals.length === 0) throw new UsageError('name a file or a folder');
  const { rules, check, problems } = await readRuleFiles(positionals);
  const counts = { error: 0, warning: 0, info: 0 };
  const say = (file: string, path: string, severity: keyof typeof counts, message: string): void => {
    counts[severity] += 1;
    io.out(`${file}: ${path === '' ? '' : `${path}: `}${severity}: ${message}`);
  };
  for (const { file, path, message } of problems) say(file, path, 'error', message);
  const seen = new Map<string, FileDocument>();
  for (const rule of rules) {
    const { file, document } = rule;
    const id = idOf(document);
    for (const { path, severity, message } of lintRule(document, check))
      say(file, `rule/${id}${path}`, severity, message);
    const other = seen.get(id);
    if (other !== undefined) say(file, `rule/${id}/id`, 'error', `is also in ${other.file}`);
    else seen.set(id, rule);
  }
  io.err(`${rules.length} rules: ${counts.error} errors, ${counts.warning} warnings, ${counts.info} hints`);
  return counts.error + counts.warning > 0 ? 1 : 0;
}
