// The configuration as every service sees it: the newest revision of each document, folded from config.v1.
//
// A document that does not fit its schema is left out and reported; it never takes others down.
import { checkDocument, type DocumentName, formatIssues } from '@tocsin/schemas/codecs/validate.ts';
import type { ActionConfig, ConfigRecord, Connection, Rule, SinkConfig } from '@tocsin/schemas/types.ts';

export interface Revision<Document> {
  readonly document: Document;
  readonly revision: number;
}

export interface ConfigTable {
  readonly rules: ReadonlyMap<string, Revision<Rule>>;
  readonly actions: ReadonlyMap<string, Revision<ActionConfig>>;
  readonly connections: ReadonlyMap<string, Revision<Connection>>;
  readonly sinks: ReadonlyMap<string, Revision<SinkConfig>>;
}

export type ConfigDocument = Rule | ActionConfig | Connection | SinkConfig;
export type ConfigKind = ConfigDocument['kind'];

export const configKinds = ['action', 'connection', 'rule', 'sink'] as const satisfies readonly ConfigKind[];

const schemaOf: Record<ConfigKind, DocumentName> = {
  action: 'action.json',
  connection: 'connection.json',
  rule: 'rule.json',
  sink: 'sink.json',
};

export const emptyConfig: ConfigTable = {
  rules: new Map(),
  actions: new Map(),
  connections: new Map(),
  sinks: new Map(),
};

const tableOf = { action: 'actions', connection: 'connections', rule: 'rules', sink: 'sinks' } as const;

export function isConfigKind(kind: string): kind is ConfigKind {
  return Object.hasOwn(schemaOf, kind);
}

/** The record key of a document: `<kind>/<id>`. */
export function configKey(kind: string, id: string): string {
  return `${kind}/${id}`;
}

/**
 * The table after one record. `record` null deletes. An older revision than the one held changes nothing: records may
 * come twice. Returns the new table, or the same one and a problem.
 */
export function applyConfig(
  table: ConfigTable,
  key: string,
  record: ConfigRecord | null,
): { readonly table: ConfigTable; readonly problem?: string } {
  const slash = key.indexOf('/');
  const kind = key.slice(0, slash);
  const id = key.slice(slash + 1);
  if (slash < 1 || !isConfigKind(kind)) return { table, problem: `${key}: unknown kind` };
  const name = tableOf[kind];
  const held = table[name] as ReadonlyMap<string, Revision<ConfigDocument>>;
  if (record === null) {
    if (!held.has(id)) return { table };
    const next = new Map(held);
    next.delete(id);
    return { table: { ...table, [name]: next } };
  }
  const document = record.document as unknown as ConfigDocument;
  const issues = checkDocument(schemaOf[kind], document);
  if (issues.length > 0)
    return { table, problem: `${key} revision ${record.revision}: ${formatIssues(issues)}` };
  if (document.kind !== kind || document.id !== id)
    return { table, problem: `${key}: names itself ${document.kind}/${document.id}` };
  const current = held.get(id);
  if (current !== undefined && current.revision >= record.revision) return { table };
  const next = new Map(held).set(id, { document, revision: record.revision });
  return { table: { ...table, [name]: next } };
}
