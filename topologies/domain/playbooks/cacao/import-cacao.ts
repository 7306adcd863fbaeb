// A CACAO 2.0 playbook as a playbook (consumer of a subset): docs/imports.md says what maps and what does not.
//
// Invariant: what comes out is switched off and passes every check of playbooks, or nothing comes out and every fault is named with its JSON
// Pointer. Our own extension is believed only where CACAO's members still say what the export wrote.
import { checkDocument, type Issue } from '@tocsin/schemas/codecs/validate.ts';
import type { CacaoMeta, Playbook, PlaybookStep } from '@tocsin/schemas/types.ts';
import { isMap, pointer } from '../../rules/import/imported.ts';
import { checkPlaybook } from '../parse-playbook.ts';
import { asCacao, checkCacao } from './check-cacao.ts';
import { typed } from './conditions.ts';
import { type CacaoPlaybook, extensionId, keptMembers, uuidOf } from './document.ts';
import { contentDigest, headOf, labelsOf, varsOf } from './export-cacao.ts';
import { slugOf } from './foreign.ts';
import { createVariables, type Variables } from './variables.ts';
import { walkWorkflow } from './walk.ts';

export interface ImportedPlaybook {
  /** null when there are issues. */
  readonly playbook: Playbook | null;
  readonly issues: readonly Issue[];
  /** What a person should know before the playbook is switched on. */
  readonly warnings: readonly string[];
}

export function importCacao(document: unknown): ImportedPlaybook {
  const faults = checkCacao(document);
  if (faults.length > 0) return { playbook: null, issues: faults, warnings: [] };
  const cacao = asCacao(document);
  const warnings: string[] = [];
  const ours = ourExtension(cacao);
  const variables = createVariables(cacao, ours?.['playbook_names']);
  const walked = walkWorkflow(cacao, variables, (message) => void warnings.push(message));
  if (walked.issues.length > 0) return { playbook: null, issues: walked.issues, warnings: [] };
  if (cacao['revoked'] === true) warnings.push('/revoked: its author has revoked the playbook');
  for (const name of [
    'signatures',
    'workflow_exception',
    'authentication_info_definitions',
    'target_definitions',
  ])
    if (cacao[name] !== undefined) warnings.push(`/${name}: is not imported`);
  const head = headIn(ours);
  if (head === null) warnings.push('/playbook_extensions: ours fits no playbook and is left out');
  const plain = assemble(cacao, ours?.['playbook_id'], head ?? {}, variables, walked.steps);
  const playbook: Playbook = { ...plain, meta: { cacao: metaOf(cacao, walked.ids, plain) } };
  const issues = checkPlaybook(playbook).map(({ path, message }) => ({
    path: placeOf(path, playbook, walked.origins),
    message: `has no counterpart here: ${path}: ${message}`,
  }));
  return issues.length > 0
    ? { playbook: null, issues, warnings: [] }
    : { playbook, issues: [], warnings: [...new Set(warnings)] };
}

function ourExtension(cacao: CacaoPlaybook): Readonly<Record<string, unknown>> | undefined {
  const found = cacao.playbook_extensions?.[extensionId];
  return isMap(found) ? found : undefined;
}

/** Members of the playbook from our extension; null when they fit none. */
function headIn(ours: Readonly<Record<string, unknown>> | undefined): Partial<Playbook> | null {
  const given = ours?.['playbook_members'];
  if (given === undefined) return {};
  if (!isMap(given)) return null;
  const head = headOf(given as unknown as Playbook);
  const probe = { ...head, kind: 'playbook', id: 'x', steps: [] };
  return checkDocument('playbook.json', probe).length > 0 ? null : head;
}

function assemble(
  cacao: CacaoPlaybook,
  id: unknown,
  head: Partial<Playbook>,
  variables: Variables,
  steps: PlaybookStep[],
): Playbook {
  const own = typeof id === 'string' ? id : slugOf(cacao.name, `cacao-${uuidOf(cacao.id)}`);
  const { name, tags, vars, ...rest } = head;
  const sameName = cacao.name === (name ?? own) ? name : cacao.name.slice(0, 128);
  const before = labelsOf({ ...(tags === undefined ? {} : { tags }) }).labels ?? [];
  const labels = cacao.labels ?? [];
  const sameTags =
    JSON.stringify(before) === JSON.stringify(labels) ? tags : labels.map((one) => one.slice(0, 128));
  const sameVars = changedVars(cacao, vars, variables);
  return {
    kind: 'playbook',
    id: own,
    ...(sameName === undefined || sameName === '' ? {} : { name: sameName }),
    ...(cacao.description === undefined
      ? {}
      : { description: cacao.description.slice(0, 4096).toWellFormed() }),
    ...rest,
    enabled: false,
    ...(sameTags === undefined ? {} : { tags: [...sameTags] }),
    ...(sameVars === undefined ? {} : { vars: sameVars }),
    steps,
  } as Playbook;
}

/** First values of `vars`: those of the extension where the variables still say the same, and those of others. */
function changedVars(
  cacao: CacaoPlaybook,
  vars: Playbook['vars'],
  variables: Variables,
): Record<string, unknown> | undefined {
  const before = varsOf(vars === undefined ? {} : { vars });
  const values: Record<string, unknown> = { ...vars };
  for (const [name, { type, value }] of Object.entries(cacao.playbook_variables ?? {})) {
    const path = variables.path(name);
    if (path === undefined || !path.startsWith('vars.') || value === undefined) continue;
    if (Object.hasOwn(before, name) && before[name]?.value === value) continue;
    values[path.slice('vars.'.length)] = typeof value === 'string' ? typed(value, type) : value;
  }
  return vars === undefined && Object.keys(values).length === 0 ? undefined : values;
}

function metaOf(cacao: CacaoPlaybook, ids: Record<string, string>, plain: Playbook): CacaoMeta {
  const kept = keptMembers.flatMap((name) =>
    cacao[name] === undefined ? [] : [[name, cacao[name]] as const],
  );
  return {
    id: cacao.id.toLowerCase(),
    created_by: cacao.created_by.toLowerCase(),
    created: cacao.created.slice(0, 40),
    modified: cacao.modified.slice(0, 40),
    digest: contentDigest(plain),
    ids,
    ...(kept.length === 0 ? {} : { properties: Object.fromEntries(kept) }),
  };
}

/** The step of the workflow that a place in the playbook came from. */
function placeOf(path: string, playbook: Playbook, origins: ReadonlyMap<unknown, string>): string {
  let at: unknown = playbook;
  let found = '';
  for (const token of path.split('/').slice(1)) {
    at = isMap(at) || Array.isArray(at) ? (at as Record<string, unknown>)[token] : undefined;
    const origin = origins.get(at);
    if (origin !== undefined) found = pointer('workflow', origin);
  }
  return found;
}
