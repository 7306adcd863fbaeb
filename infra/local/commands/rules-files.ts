// The documents that the commands around rules read: every one with its file, so that a message can name it.
import { stat } from 'node:fs/promises';
import { readDocumentDirectory, readDocuments } from '@tocsin/adapters/config/directory.ts';
import type { ValueList } from '@tocsin/schemas/types.ts';
import type { NamedList } from '@tocsin/topologies/domain/rules/context.ts';
import { buildNamedLists } from '@tocsin/topologies/domain/rules/named-list.ts';
import type { RuleCheck } from '@tocsin/topologies/domain/rules/parse-rule.ts';
import { UsageError } from './rules-io.ts';

export interface FileDocument {
  readonly file: string;
  readonly document: unknown;
}

export interface RuleFiles {
  /** Documents that are rules, or that say nothing about what they are. */
  readonly rules: readonly FileDocument[];
  readonly lists: ReadonlyMap<string, NamedList>;
  /** What rules may name: actions, playbooks and lists are known only where the files have some. */
  readonly check: RuleCheck;
  /** Files that cannot be read, and lists that cannot be used. */
  readonly problems: readonly FileProblem[];
}

export interface FileProblem {
  readonly file: string;
  readonly path: string;
  readonly message: string;
}

/** Reads files and folders. Throws UsageError when one of them is not there. */
export async function readRuleFiles(paths: readonly string[]): Promise<RuleFiles> {
  const documents: FileDocument[] = [];
  const problems: FileProblem[] = [];
  for (const path of paths) {
    const read = await readPath(path);
    documents.push(...read.documents);
    problems.push(...read.problems);
  }
  const listDocuments = documents.filter(({ document }) => kindOf(document) === 'list');
  const listsById = new Map(
    listDocuments.map(({ document }) => [(document as ValueList).id, document as ValueList]),
  );
  const built = buildNamedLists(listsById);
  for (const { file, document } of listDocuments)
    for (const issue of built.problems.get((document as ValueList).id) ?? [])
      problems.push({ file, ...issue });
  const idsOf = (kind: string): Set<string> =>
    new Set(documents.flatMap(({ document }) => (kindOf(document) === kind ? idOf(document) : [])));
  const [actions, playbooks] = [idsOf('action'), idsOf('playbook')];
  const rules = documents.filter(
    ({ document }) => kindOf(document) === 'rule' || kindOf(document) === undefined,
  );
  const check = {
    ...(actions.size > 0 ? { actions } : {}),
    ...(playbooks.size > 0 ? { playbooks } : {}),
    ...(listsById.size > 0 ? { lists: listsById } : {}),
  };
  return { rules, lists: built.lists, check, problems };
}

/** The one rule of a file, or the one with this id. Throws UsageError when it is not clear which. */
export function chooseRule(
  rules: readonly FileDocument[],
  id: string | undefined,
  file: string,
): FileDocument {
  const fitting = id === undefined ? rules : rules.filter(({ document }) => idOf(document) === id);
  const [only, other] = fitting;
  if (only === undefined)
    throw new UsageError(id === undefined ? `${file} has no rule` : `${file} has no rule ${id}`);
  if (other !== undefined)
    throw new UsageError(
      `${file} has several rules; choose one with --id: ${rules.map(({ document }) => idOf(document)).join(', ')}`,
    );
  return only;
}

export function idOf(document: unknown): string {
  const { id } = (document ?? {}) as { id?: unknown };
  return typeof id === 'string' ? id : '?';
}

async function readPath(path: string): Promise<{ documents: FileDocument[]; problems: FileProblem[] }> {
  const found = await stat(path).catch(() => null);
  if (found === null) throw new UsageError(`there is no ${path}`);
  if (found.isDirectory()) {
    const { files, problems } = await readDocumentDirectory(path);
    return {
      documents: files.flatMap(({ name, documents }) =>
        documents.map((document) => ({ file: name, document })),
      ),
      problems: problems.map((problem) => fileProblem(path, problem)),
    };
  }
  const documents = await readDocuments(path);
  if (typeof documents === 'string')
    return { documents: [], problems: [fileProblem(path, `${path}: ${documents}`)] };
  return { documents: documents.map((document) => ({ file: path, document })), problems: [] };
}

/** `<file>: <what is wrong>`, on one line: the parser shows the text around the place. */
function fileProblem(folder: string, problem: string): FileProblem {
  const [, file = folder, message = problem] = /^(.+?\.(?:ya?ml|json)): (.*)$/s.exec(problem) ?? [];
  return { file, path: '', message: message.replace(/\s*\n\s*/g, ' ').trim() };
}

function kindOf(document: unknown): unknown {
  return (document as { kind?: unknown } | null)?.kind;
}
