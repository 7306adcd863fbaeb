// A playbook as a CACAO 2.0 playbook (producer of a subset): docs/imports.md says what maps and what does not.
//
// Invariant: an import of what comes out gives the same playbook; what CACAO has no member for is in the extension of the step. Secrets
// are not in playbooks, so none leave. Surprise: identifiers and times are made once: `meta` has to be stored with the playbook, and with
// it the next export of the same playbook is the same document.
import type { CacaoMeta, Playbook } from '@tocsin/schemas/types.ts';
import { digestOf } from '../../digest.ts';
import { type CacaoPlaybook, extensionDefinition, extensionId, type Variable } from './document.ts';
import { variableOf } from './names.ts';
import { places } from './places.ts';
import { createWriter } from './write-workflow.ts';

export interface ExportOptions {
  /** A new UUID of version 4 at every call. */
  uuid(): string;
  /** Epoch ms. */
  readonly now: number;
}

export interface Exported {
  readonly document: CacaoPlaybook;
  /** For `meta.cacao` of the playbook. */
  readonly meta: CacaoMeta;
}

/** The playbook, which passed checkPlaybook, as a CACAO playbook. */
export function exportCacao(playbook: Playbook, options: ExportOptions): Exported {
  const kept = playbook.meta?.cacao;
  const ids: Record<string, string> = {};
  const used = new Set<string>();
  const id = (type: string, place: string): string => {
    if (ids[place] === undefined) {
      const before = Object.hasOwn(kept?.ids ?? {}, place) ? kept?.ids?.[place] : undefined;
      // Section 10.10: the UUID of an object is that of no other.
      const own = before === undefined || used.has(before) ? options.uuid() : before;
      ids[place] = own;
      used.add(own);
    }
    return `${type}--${ids[place]}`;
  };
  const writer = createWriter(id);
  const end = writer.end(places.end(''));
  const first = writer.list(playbook.steps, '', end);
  const start = id('start', places.start);
  const moment = new Date(options.now).toISOString();
  const digest = contentDigest(playbook);
  const created = kept?.created ?? moment;
  const modified =
    kept !== undefined && kept.digest === digest ? kept.modified : moment > created ? moment : created;
  const meta: CacaoMeta = {
    id: kept?.id ?? `playbook--${options.uuid()}`,
    created_by: kept?.created_by ?? `identity--${options.uuid()}`,
    created,
    modified,
    digest,
    ids,
    ...(kept?.properties === undefined ? {} : { properties: kept.properties }),
  };
  const variables = { ...writer.variables, ...varsOf(playbook) };
  const names = [...writer.paths].filter(([, path]) => path !== '');
  const document: CacaoPlaybook = {
    type: 'playbook',
    spec_version: 'cacao-2.0',
    id: meta.id,
    name: playbook.name ?? playbook.id,
    ...(playbook.description === undefined ? {} : { description: playbook.description }),
    ...kept?.properties,
    ...labelsOf(playbook),
    created_by: meta.created_by,
    created,
    modified,
    ...(Object.keys(variables).length === 0 ? {} : { playbook_variables: variables }),
    workflow_start: start,
    workflow: Object.fromEntries([
      [start, { type: 'start', on_completion: first }],
      ...writer.steps.reverse(),
    ]),
    playbook_extensions: {
      [extensionId]: {
        playbook_id: playbook.id,
        playbook_members: headOf(playbook),
        ...(names.length === 0 ? {} : { playbook_names: Object.fromEntries(names) }),
      },
    },
    ...(Object.keys(writer.agents).length === 0 ? {} : { agent_definitions: writer.agents }),
    extension_definitions: { [extensionId]: extensionDefinition },
  };
  return { document, meta };
}

/** What a new `modified` depends on: everything but whether the playbook is switched on here, and what other formats know of it. */
export function contentDigest({ enabled: _, meta: __, ...content }: Playbook): string {
  return digestOf(content);
}

/** Members of the playbook besides its steps, its description and what an import never takes over. */
export function headOf({
  steps: _,
  id: __,
  description: ___,
  enabled: ____,
  meta: _____,
  ...head
}: Playbook): Partial<Playbook> {
  return head;
}

export function labelsOf({ tags = [] }: Pick<Playbook, 'tags'>): { labels?: readonly string[] } {
  return tags.length === 0 ? {} : { labels: tags };
}

/** The first values of `vars`. */
export function varsOf({ vars = {} }: Pick<Playbook, 'vars'>): Record<string, Variable> {
  return Object.fromEntries(
    Object.entries(vars).map(([name, value]) => [
      variableOf(`vars.${name}`),
      { type: variableType(value), description: `vars.${name}`, value: valueText(value) },
    ]),
  );
}

function variableType(value: unknown): string {
  if (typeof value === 'boolean') return 'bool';
  if (typeof value === 'number') return Number.isInteger(value) ? 'integer' : 'float';
  return typeof value === 'object' && value !== null ? 'dictionary' : 'string';
}

function valueText(value: unknown): string | null {
  if (value === null || value === undefined) return null;
  return typeof value === 'string' ? value : JSON.stringify(value);
}
