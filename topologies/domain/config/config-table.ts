// The configuration as every service sees it: the newest revision of each document, folded from config.v1.
//
// A document that does not fit its schema is left out and reported; it never takes others down.
import {
  checkDocument,
  type DocumentName,
  formatIssues,
  type Issue,
} from '@tocsin/schemas/codecs/validate.ts';
import type {
  ActionConfig,
  ConfigRecord,
  Connection,
  Playbook,
  Rule,
  SinkConfig,
  ValueList,
} from '@tocsin/schemas/types.ts';
import { playbookSizeIssues } from '../playbooks/parse-playbook.ts';

export interface Revision<Document> {
  readonly document: Document;
  readonly revision: number;
  /** Held by whoever saved it, as far as privileged action types need it. */
  readonly grants?: readonly string[];
}

export interface ConfigTable {
  readonly rules: ReadonlyMap<string, Revision<Rule>>;
  readonly actions: ReadonlyMap<string, Revision<ActionConfig>>;
  readonly connections: ReadonlyMap<string, Revision<Connection>>;
  readonly sinks: ReadonlyMap<string, Revision<SinkConfig>>;
  readonly lists: ReadonlyMap<string, Revision<ValueList>>;
  readonly playbooks: ReadonlyMap<string, Revision<Playbook>>;
}

export type ConfigDocument = Rule | ActionConfig | Connection | SinkConfig | ValueList | Playbook;
export type ConfigKind = ConfigDocument['kind'];

export const configKinds = [
  'action',
  'connection',
  'list',
  'playbook',
  'rule',
  'sink',
] as const satisfies readonly ConfigKind[];

const schemaOf: Record<ConfigKind, DocumentName> = {
  action: 'action.json',
  connection: 'connection.json',
  list: 'list.json',
  playbook: 'playbook.json',
  rule: 'rule.json',
  sink: 'sink.json',
};

export const emptyConfig: ConfigTable = {
  rules: new Map(),
  actions: new Map(),
  connections: new Map(),
  sinks: new Map(),
  lists: new Map(),
  playbooks: new Map(),
};

/** The member of ConfigTable that holds a kind. */
export const tableOf = {
  action: 'actions',
  connection: 'connections',
  list: 'lists',
  playbook: 'playbooks',
  rule: 'rules',
  sink: 'sinks',
} as const satisfies Record<ConfigKind, keyof ConfigTable>;

export function isConfigKind(kind: string): kind is ConfigKind {
  return Object.hasOwn(schemaOf, kind);
}

/** The record key of a document: `<kind>/<id>`. */
export function configKey(kind: string, id: string): string {
  return `${kind}/${id}`;
}

/** What one record changed: the revisions before and after it, null when there is none. */
export interface ConfigChange {
  readonly kind: ConfigKind;
  readonly id: string;
  readonly before: Revision<ConfigDocument> | null;
  readonly after: Revision<ConfigDocument> | null;
}

export interface ConfigFold {
  /** Live: shows every record applied so far. */
  readonly table: ConfigTable;
  /**
   * Applies one record; `record` null deletes. An older revision than the one held changes nothing, because records may
   * come twice. A record that cannot be used changes nothing and gives a problem.
   */
  apply(key: string, record: ConfigRecord | null): ConfigApplied;
}

export interface ConfigApplied {
  readonly change?: ConfigChange;
  readonly problem?: string;
}

/** An empty table and the way to fill it; one record costs the same however many documents there are. */
export function createConfigFold(): ConfigFold {
  const table = {
    actions: new Map(),
    connections: new Map(),
    lists: new Map(),
    playbooks: new Map(),
    rules: new Map(),
    sinks: new Map(),
  };

  function apply(key: string, record: ConfigRecord | null): ConfigApplied {
    const slash = key.indexOf('/');
    const kind = key.slice(0, slash);
    const id = key.slice(slash + 1);
    if (slash < 1 || !isConfigKind(kind)) return { problem: `${key}: unknown kind` };
    const held: Map<string, Revision<ConfigDocument>> = table[tableOf[kind]];
    const before = held.get(id) ?? null;
    if (record === null) {
      return held.delete(id) ? { change: { kind, id, before, after: null } } : {};
    }
    const document = record.document as unknown as ConfigDocument;
    const issues = shapeIssues(kind, document);
    if (issues.length > 0) return { problem: `${key} revision ${record.revision}: ${formatIssues(issues)}` };
    if (document.kind !== kind || document.id !== id)
      return { problem: `${key}: names itself ${document.kind}/${document.id}` };
    if (before !== null && before.revision >= record.revision) return {};
    const { revision, grants } = record;
    const after = { document, revision, ...(grants === undefined ? {} : { grants }) };
    held.set(id, after);
    return { change: { kind, id, before, after } };
  }

  return { table, apply };
}

// The schema of a playbook refers to itself: without the bound on levels a document could exhaust the stack.
function shapeIssues(kind: ConfigKind, document: unknown): Issue[] {
  const tooLarge = kind === 'playbook' ? playbookSizeIssues(document) : [];
  return tooLarge.length > 0 ? tooLarge : checkDocument(schemaOf[kind], document);
}
