// ./tocsin rules import --format sigma|eventbridge FILE|DIR... [--out DIR] [--action ID] [--profile FILE] [--root PATH] [--object NAME]
//
// Invariant: a rule is imported whole or not at all; each one that is not has a line with its file, the place and the reason.
// Surprise: without --out the rules go to stdout as one YAML stream; with it, each becomes a file that is never overwritten.
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { readYamlDocuments, writeYaml } from '@tocsin/adapters/config/yaml-documents.ts';
import { formatIssues } from '@tocsin/schemas/codecs/validate.ts';
import {
  defaultPatternOptions,
  importPattern,
  readNamedPattern,
} from '@tocsin/topologies/domain/rules/import/eventbridge/import-pattern.ts';
import type { Imported } from '@tocsin/topologies/domain/rules/import/imported.ts';
import { importSigma } from '@tocsin/topologies/domain/rules/import/sigma/import-sigma.ts';
import {
  defaultProfile,
  readProfile,
  type SourceProfile,
} from '@tocsin/topologies/domain/rules/import/sigma/profile.ts';
import { type ForeignFormat, readForeign } from './rules-foreign.ts';
import { type RulesCommand, type RulesIo, UsageError } from './rules-io.ts';

type Import = (document: unknown) => Imported;

/** Action of imported rules unless another is named. */
const defaultAction = 'imported-rules';

export const rulesImport: RulesCommand = async (args, io) => {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      format: { type: 'string' },
      out: { type: 'string' },
      action: { type: 'string', multiple: true },
      profile: { type: 'string' },
      root: { type: 'string' },
      object: { type: 'string', multiple: true },
    },
  });
  const { format, out, action: actions = [defaultAction] } = values;
  if (format !== 'sigma' && format !== 'eventbridge')
    throw new UsageError('--format is sigma or eventbridge');
  if (positionals.length === 0) throw new UsageError('name a file or a folder');
  if (format === 'sigma' && (values.root !== undefined || values.object !== undefined))
    throw new UsageError('--root and --object are for eventbridge; a profile says where Sigma fields are');
  if (format === 'eventbridge' && values.profile !== undefined)
    throw new UsageError('--profile is for sigma');
  const profile = values.profile === undefined ? defaultProfile : await loadProfile(values.profile);
  const { root = defaultPatternOptions.root, object: objects = defaultPatternOptions.objects } = values;
  const read: Import =
    format === 'sigma'
      ? (document) => importSigma(document, { actions }, profile)
      : (document) => {
          const named = readNamedPattern(document);
          if ('message' in named) return { rule: null, issues: [named], notes: [] };
          return importPattern(named, { root, objects, actions });
        };
  return importAll(positionals, format, read, out, io);
};

async function importAll(
  paths: readonly string[],
  format: ForeignFormat,
  read: Import,
  out: string | undefined,
  io: RulesIo,
): Promise<number> {
  const seen = new Map<string, string>();
  let refused = 0;
  const refuse = (line: string): void => {
    refused += 1;
    io.err(line);
  };
  for (const path of paths) {
    const { documents, problems } = await readForeign(path, format);
    for (const line of problems) refuse(line);
    for (const { from, document } of documents) {
      const { rule, issues, notes } = read(document);
      if (rule === null) refuse(`${from}: ${formatIssues(issues)}`);
      else if (seen.has(rule.id)) refuse(`${from}: the id ${rule.id} is taken by ${seen.get(rule.id)}`);
      else {
        seen.set(rule.id, from);
        for (const note of notes) io.err(`${from}: note: ${note}`);
        const problem = await write(rule.id, writeYaml(rule), out, io);
        if (problem !== null) refuse(`${from}: ${problem}`);
      }
    }
  }
  io.err(`${seen.size} imported, ${refused} not imported`);
  return refused === 0 ? 0 : 1;
}

async function write(id: string, text: string, out: string | undefined, io: RulesIo): Promise<string | null> {
  if (out === undefined) {
    for (const line of ['---', ...text.trimEnd().split('\n')]) io.out(line);
    return null;
  }
  await mkdir(out, { recursive: true });
  const file = join(out, `${id}.yaml`);
  try {
    await writeFile(file, text, { flag: 'wx' });
    return null;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return `${file} exists and is left as it is`;
    throw error;
  }
}

async function loadProfile(file: string): Promise<SourceProfile> {
  const text = await readFile(file, 'utf8').catch(() => {
    throw new UsageError(`there is no ${file}`);
  });
  const documents = readYamlDocuments(text);
  if (typeof documents === 'string') throw new UsageError(`${file}: ${documents}`);
  const { profile, issues } = readProfile(documents[0]);
  if (documents.length !== 1 || profile === null)
    throw new UsageError(`${file}: ${issues.length > 0 ? formatIssues(issues) : 'must be one document'}`);
  return profile;
}
