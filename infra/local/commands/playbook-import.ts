// ./tocsin playbook import FILE --from cacao [--out FILE]
//
// Invariant: a playbook is imported whole or not at all, and never switched on; each fault has a line with its place. Surprise: without --out
// the playbook goes to stdout as YAML; with it, a file that exists is left as it is.
import { readFile, stat } from 'node:fs/promises';
import { writeYaml } from '@tocsin/adapters/config/yaml-documents.ts';
import { parseJson } from '@tocsin/schemas/codecs/json.ts';
import { cacaoLimits } from '@tocsin/topologies/domain/playbooks/cacao/document.ts';
import { importCacao } from '@tocsin/topologies/domain/playbooks/cacao/import-cacao.ts';
import { fileArgs, writeResult } from './playbook-files.ts';
import { type RulesCommand, UsageError } from './rules-io.ts';

export const playbookImport: RulesCommand = async (args, io) => {
  const { file, out } = fileArgs(args, 'from');
  const found = await stat(file).catch(() => null);
  if (found === null || found.isDirectory()) throw new UsageError(`there is no file ${file}`);
  const document = found.size > cacaoLimits.bytes ? null : parseJson(await readFile(file), limits);
  if (document === null || !document.ok) {
    const why =
      document === null ? `larger than ${cacaoLimits.bytes} bytes` : `${document.reason} ${document.detail}`;
    io.err(`${file}: ${why}`);
    return 1;
  }
  const { playbook, issues, warnings } = importCacao(document.value);
  for (const { path, message } of issues) io.err(`${file}: ${path === '' ? '/' : path}: ${message}`);
  if (playbook === null) return 1;
  for (const warning of warnings) io.err(`${file}: note: ${warning}`);
  return writeResult(writeYaml(playbook), out, io);
};

const limits = {
  maxBytes: cacaoLimits.bytes,
  maxDepth: cacaoLimits.depth,
  maxKeys: 10_000,
  forbiddenKeys: 'refuse',
} as const;
