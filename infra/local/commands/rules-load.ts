// Rules from files, for the commands that need no config API: one file or a folder, as services read CONFIG_DIR, or
// documents of another language.
//
// Invariant: a rule with a fault is left out with its file, its id and the place of the fault; it takes no other rule down.
// Surprise: a .jsonl file holds one document per line and may be of any size; YAML and JSON files are limited to 4 MiB each.
import { readFile, stat } from 'node:fs/promises';
import { extname } from 'node:path';
import { readConfigDirectory, readDocuments } from '@tocsin/adapters/config/directory.ts';
import { formatIssues, type Issue } from '@tocsin/schemas/codecs/validate.ts';
import type { ValueList } from '@tocsin/schemas/types.ts';
import type { NamedList } from '@tocsin/topologies/domain/rules/context.ts';
import {
  defaultPatternOptions,
  importPattern,
  readNamedPattern,
} from '@tocsin/topologies/domain/rules/import/eventbridge/import-pattern.ts';
import { importSigma } from '@tocsin/topologies/domain/rules/import/sigma/import-sigma.ts';
import { buildNamedLists } from '@tocsin/topologies/domain/rules/named-list.ts';
import { parseRule, type RuleRevision } from '@tocsin/topologies/domain/rules/parse-rule.ts';
import { readForeign } from './rules-foreign.ts';
import { UsageError } from './rules-io.ts';

export const ruleFormats = ['tocsin', 'sigma', 'eventbridge'] as const;
export type RuleFormat = (typeof ruleFormats)[number];

export interface LoadedRules {
  /** Enabled rules without fault, in the order of the files. */
  readonly rules: RuleRevision[];
  /** Documents of the kind list that can be used. */
  readonly lists: ReadonlyMap<string, NamedList>;
  /** One line per rule, list or file that is left out, with the place of the fault. */
  readonly problems: readonly string[];
}

/** A document and where it was read, for messages. */
export interface SourceDocument {
  readonly from: string;
  readonly document: unknown;
}

export interface SourceDocuments {
  readonly documents: readonly SourceDocument[];
  readonly problems: readonly string[];
}

/** The rules below `path`, a file or a folder, in one of the languages. Throws UsageError when there is no such path. */
export async function loadRules(path: string, format: RuleFormat): Promise<LoadedRules> {
  const { documents, problems } = await readRuleDocuments(path, format);
  const checked = checkRules(documents, format);
  return { ...checked, problems: [...problems, ...checked.problems] };
}

/** Every document below `path`. Throws UsageError when there is no such path. */
export async function readRuleDocuments(path: string, format: RuleFormat): Promise<SourceDocuments> {
  if (format !== 'tocsin') return readForeign(path, format);
  const found = await stat(path).catch(() => null);
  if (found === null) throw new UsageError(`there is no ${path}`);
  if (found.isDirectory()) return readFolder(path);
  if (extname(path) === '.jsonl') return readJsonLines(path);
  const documents = await readDocuments(path);
  if (typeof documents === 'string') return { documents: [], problems: [`${path}: ${documents}`] };
  return { documents: documents.map((document) => named(path, document)), problems: [] };
}

async function readFolder(path: string): Promise<SourceDocuments> {
  const { entries, problems } = await readConfigDirectory(path);
  return { documents: entries.map(({ record }) => named(path, record?.document)), problems };
}

/** One JSON document per line; empty lines are left out. */
async function readJsonLines(path: string): Promise<SourceDocuments> {
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

function named(path: string, document: unknown): SourceDocument {
  const { kind, id, Name, title } = (document ?? {}) as Record<string, unknown>;
  const name = [kind, id ?? Name ?? title].filter((part) => typeof part === 'string').join('/');
  return { from: name === '' ? path : `${path}: ${name}`, document };
}

function checkRules(documents: readonly SourceDocument[], format: RuleFormat): LoadedRules {
  const rules: RuleRevision[] = [];
  const lists = new Map<string, ValueList>();
  const problems: string[] = [];
  const seen = new Set<string>();
  for (const { from, document } of documents) {
    const kind = (document as { kind?: unknown } | null)?.kind;
    if (format === 'tocsin' && kind === 'list') {
      const list = document as ValueList;
      lists.set(list.id, list);
      continue;
    }
    // Actions, connections, playbooks and sinks stand in the same folders.
    if (format === 'tocsin' && typeof kind === 'string' && kind !== 'rule') continue;
    const { rule, issues } = readRule(document, format);
    if (rule === null) problems.push(`${from}: ${formatIssues(issues)}`);
    else if (seen.has(rule.document.id)) problems.push(`${from}: the id ${rule.document.id} is taken`);
    else {
      seen.add(rule.document.id);
      if (rule.document.enabled !== false) rules.push(rule);
    }
  }
  const built = buildNamedLists(lists);
  for (const [id, issues] of built.problems) problems.push(`list/${id}: ${formatIssues(issues)}`);
  return { rules, lists: built.lists, problems };
}

type ReadRule =
  | { readonly rule: RuleRevision; readonly issues: readonly [] }
  | { readonly rule: null; readonly issues: readonly Issue[] };

// Imported rules act on nothing here; the language asks for an action.
const actions = ['none'];

function readRule(document: unknown, format: RuleFormat): ReadRule {
  if (format === 'eventbridge') {
    const pattern = readNamedPattern(document);
    if ('message' in pattern) return { rule: null, issues: [pattern] };
    const imported = importPattern(pattern, { ...defaultPatternOptions, actions });
    if (imported.rule === null) return imported;
    // A pattern is known by the id that its file gives it, whatever ids of rules may be made of.
    return withId(revisionOf(imported.rule), pattern.id);
  }
  if (format === 'sigma') {
    const imported = importSigma(document, { actions });
    return imported.rule === null ? imported : revisionOf(imported.rule);
  }
  return revisionOf(document);
}

function revisionOf(document: unknown): ReadRule {
  const { rule, issues } = parseRule(document);
  return rule === null ? { rule, issues } : { rule: { ...rule, revision: 1 }, issues: [] };
}

function withId(read: ReadRule, id: string): ReadRule {
  if (read.rule === null) return read;
  return { rule: { ...read.rule, document: { ...read.rule.document, id } }, issues: [] };
}
