// ./tocsin playbook export FILE --to cacao [--out FILE]
//
// Invariant: the identifiers of an export are kept in the playbook before anything is handed out, so that the next export of the file has the
// same ones. Surprise: so the first export changes FILE: it gets `meta.cacao` at its end, and nothing else in it changes.
import { randomUUID } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { isDeepStrictEqual } from 'node:util';
import { readYamlDocuments } from '@tocsin/adapters/config/yaml-documents.ts';
import type { Playbook } from '@tocsin/schemas/types.ts';
import { exportCacao } from '@tocsin/topologies/domain/playbooks/cacao/export-cacao.ts';
import { checkPlaybook } from '@tocsin/topologies/domain/playbooks/parse-playbook.ts';
import { fileArgs, keepMeta, writeResult } from './playbook-files.ts';
import { type RulesCommand, type RulesIo, UsageError } from './rules-io.ts';

/** Far more than a playbook and its comments need. */
const maxFileChars = 1024 * 1024;

export const playbookExport: RulesCommand = async (args, io) => {
  const { file, out } = fileArgs(args, 'to');
  const source = await readPlaybook(file, io);
  if (source === null) return 1;
  const { playbook } = source;
  const { document, meta } = exportCacao(playbook, { uuid: randomUUID, now: Date.now() });
  if (!isDeepStrictEqual(meta, playbook.meta?.cacao)) {
    const problem = await keepMeta(file, source.text, { ...playbook.meta, cacao: meta });
    if (problem !== null) {
      io.err(`${file}: ${problem}`);
      return 1;
    }
    io.err(`${file}: note: meta.cacao keeps the identifiers of this export; leave it in the file`);
  }
  return writeResult(JSON.stringify(document, null, 2), out, io);
};

interface Source {
  readonly text: string;
  readonly playbook: Playbook;
}

/** null after every fault was shown. */
async function readPlaybook(file: string, io: RulesIo): Promise<Source | null> {
  const text = await readFile(file, 'utf8').catch(() => {
    throw new UsageError(`there is no file ${file}`);
  });
  const documents =
    text.length > maxFileChars ? `larger than ${maxFileChars} characters` : readYamlDocuments(text);
  if (typeof documents === 'string') {
    io.err(`${file}: ${documents}`);
    return null;
  }
  const [playbook, ...more] = documents;
  if (playbook === undefined || more.length > 0) {
    io.err(`${file}: holds ${documents.length} documents; one playbook is exported at a time`);
    return null;
  }
  const issues = checkPlaybook(playbook);
  for (const { path, message } of issues) io.err(`${file}: ${path === '' ? '/' : path}: ${message}`);
  return issues.length > 0 ? null : { text, playbook: playbook as Playbook };
}
