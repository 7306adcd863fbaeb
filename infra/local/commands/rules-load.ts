// Rules from files, for the commands that need no config API: one file or a folder, as services read CONFIG_DIR.
//
// Invariant: a rule with a fault is left out with its file, its id and the place of the fault; it takes no other rule down.
// Surprise: a .jsonl file holds one rule per line and may be of any size; YAML and JSON files are limited to 4 MiB each.
import { readFile, stat } from 'node:fs/promises';
import { extname } from 'node:path';
import { readConfigDirectory, readDocuments } from '@tocsin/adapters/config/directory.ts';
import { formatIssues } from '@tocsin/schemas/codecs/validate.ts';
import { parseRule, type RuleRevision } from '@tocsin/topologies/domain/rules/parse-rule.ts';
import { UsageError } from './rules-io.ts';

export interface LoadedRules {
  /** Enabled rules without fault, in the order of the files. */
  readonly rules: readonly RuleRevision[];
  /** What else the files held: documents that are no rules, such as named lists. */
  readonly others: readonly Readonly<Record<string, unknown>>[];
  /** One line per rule or file that is left out, with the place of the fault. */
  readonly problems: readonly string[];
}

/** A document and where it was read, for messages. */
export interface SourceDocument {
  readonly from: string;
  readonly document: unknown;
}

/** Every document below `path`, a file or a folder. Throws UsageError when there is no such path. */
export async function readRuleDocuments(
  path: string,
): Promise<{ readonly documents: readonly SourceDocument[]; readonly problems: readonly string[] }> {
  const found = await stat(path).catch(() => null);
  if (found === null) throw new UsageError(`there is no ${path}`);
  if (found.isDirectory()) {
    const { entries, problems } = await readConfigDirectory(path);
    return {
      documents: entries.map(({ key, record }) => ({ from: `${path}: ${key}`, document: record?.document })),
      problems,
    };
  }
  if (extname(path) === '.jsonl') return readJsonLines(path);
  const documents = await readDocuments(path);
  if (typeof documents === 'string') return { documents: [], problems: [`${path}: ${documents}`] };
  return {
    documents: documents.map((document) => ({ from: `${path}: ${nameOf(document)}`, document })),
    problems: [],
  };
}

/** One JSON document per line; empty lines are left out. */
export async function readJsonLines(
  path: string,
): Promise<{ readonly documents: readonly SourceDocument[]; readonly problems: readonly string[] }> {
  const documents: SourceDocument[] = [];
  const problems: string[] = [];
  let number = 0;
  for (const line of (await readFile(path, 'utf8')).split('\n')) {
    number += 1;
    if (line.trim() === '') continue;
    try {
      documents.push({ from: `${path}:${number}`, document: JSON.parse(line) as unknown });
    } catch {
      problems.push(`${path}:${number}: not JSON`);
    }
  }
  return { documents, problems };
}

/** Checks rule documents; the rest is handed back as it is. */
export function checkRules(documents: readonly SourceDocument[]): LoadedRules {
  const rules: RuleRevision[] = [];
  const others: Readonly<Record<string, unknown>>[] = [];
  const problems: string[] = [];
  const seen = new Set<string>();
  for (const { from, document } of documents) {
    const kind = (document as { kind?: unknown } | null)?.kind;
    if (typeof kind === 'string' && kind !== 'rule') {
      others.push(document as Record<string, unknown>);
      continue;
    }
    const { rule, issues } = parseRule(document);
    if (rule === null) problems.push(`${from}: ${formatIssues(issues)}`);
    else if (seen.has(rule.document.id)) problems.push(`${from}: the id ${rule.document.id} is taken`);
    else {
      seen.add(rule.document.id);
      if (rule.document.enabled !== false) rules.push({ ...rule, revision: 1 });
    }
  }
  return { rules, others, problems };
}

function nameOf(document: unknown): string {
  const { kind, id } = (document ?? {}) as { kind?: unknown; id?: unknown };
  return `${String(kind ?? 'document')}/${String(id ?? '?')}`;
}
