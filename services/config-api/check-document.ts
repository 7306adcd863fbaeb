// Whether a document that fits its schema can also work: parameters of its type, what it refers to, limits of rules.
//
// Runs inside the write transaction, under the lock of the store, so that what it found to exist still exists at commit.

import type { ConfigWriter, Document } from '@tocsin/adapters/postgres/config-store.ts';
import { compileCheck, type Issue, type JsonSchema } from '@tocsin/schemas/codecs/validate.ts';
import type {
  ActionConfig,
  Connection,
  Playbook,
  Rule,
  SinkConfig,
  ValueList,
} from '@tocsin/schemas/types.ts';
import { type ConnectionTypes, connectionTypes } from '@tocsin/topologies/domain/action/define-action.ts';
import { listsOf } from '@tocsin/topologies/domain/rules/lists-of.ts';
import { buildNamedLists, checkList } from '@tocsin/topologies/domain/rules/named-list.ts';
import { checkRule, isActionEntry, parseRule } from '@tocsin/topologies/domain/rules/parse-rule.ts';
import { ruleTestIssues } from '@tocsin/topologies/domain/rules/tests/run-tests.ts';
import { checkConnection } from './check-connection.ts';
import { playbookIssues } from './check-playbook.ts';
import { badRequest, unprocessable } from './errors.ts';

export type Params = Readonly<Record<string, unknown>>;

/** What this needs to know of an action or sink type. */
export interface TypeEntry {
  readonly manifest: {
    readonly id: string;
    readonly params: JsonSchema;
    readonly connection: ConnectionTypes;
    readonly privileged?: true;
  };
  check(params: Params): Issue[];
  /** Whether these parameters need the connection that the manifest names; without it they always do. */
  needsConnection?(params: Params): boolean;
  /** Contradictions between parameters and connection. */
  checkConnection?(params: Params, connection: Connection): Issue[];
}

export interface Catalogue {
  readonly actions: Readonly<Record<string, TypeEntry>>;
  readonly sinks: Readonly<Record<string, TypeEntry>>;
}

type Reader = Pick<ConfigWriter, 'get' | 'published'>;

/** `author`: who writes. Answers what keeps a draft from running. */
export type DocumentCheck = (document: Document, writer: Reader, author: string) => Promise<readonly Issue[]>;

/**
 * Tests inside a rule are run with the lists as they are in this transaction; a failing one refuses the rule.
 *
 * The check throws 400 for parameters that do not fit the type's schema, 422 for everything else.
 */
export function createDocumentCheck(catalogue: Catalogue, now: () => number = Date.now): DocumentCheck {
  const shapes = new Map<TypeEntry, (value: unknown) => Issue[]>();

  function shapeIssues(entry: TypeEntry, params: Params): Issue[] {
    let shape = shapes.get(entry);
    if (shape === undefined) {
      shape = compileCheck(entry.manifest.params);
      shapes.set(entry, shape);
    }
    return shape(params);
  }

  function checkParams(entry: TypeEntry, params: Params, base: string): void {
    const wrong = shapeIssues(entry, params).map((issue) => ({ ...issue, path: base + issue.path }));
    if (wrong.length > 0) throw badRequest(wrong, `the parameters do not fit the type ${entry.manifest.id}`);
    const unfit = entry.check(params).map((issue) => ({ ...issue, path: base + issue.path }));
    if (unfit.length > 0) throw unprocessable(unfit);
  }

  async function checkUse(
    document: ActionConfig | SinkConfig,
    types: Catalogue['actions'],
    writer: Pick<ConfigWriter, 'get'>,
  ): Promise<void> {
    const entry = Object.hasOwn(types, document.type) ? types[document.type] : undefined;
    if (entry === undefined)
      throw unprocessable([{ path: '/type', message: `must be one of ${Object.keys(types).join(', ')}` }]);
    const needed = connectionTypes(entry.manifest.connection);
    if (needed.length === 0 && document.connection !== undefined)
      throw unprocessable([{ path: '/connection', message: `the type ${document.type} uses no connection` }]);
    if (needed.length > 0) {
      const optional = entry.needsConnection?.(document.params ?? {}) === false;
      if (document.connection === undefined && !optional)
        throw unprocessable([
          { path: '/connection', message: `the type ${document.type} needs a connection` },
        ]);
    }
    const connection =
      document.connection === undefined ? null : await writer.get('connection', document.connection);
    if (document.connection !== undefined && connection === null)
      throw unprocessable([
        { path: '/connection', message: `the connection ${document.connection} does not exist` },
      ]);
    const type = connection?.document.type;
    if (type !== undefined && !needed.some((each) => each === type))
      throw unprocessable([
        { path: '/connection', message: `must be a connection of type ${needed.join(' or ')}` },
      ]);
    checkParams(entry, document.params, '/params');
    if (connection !== null)
      checkTogether(entry, document.params, connection.document as unknown as Connection, '/params');
  }

  function checkTogether(entry: TypeEntry, params: Params, connection: Connection, base: string): void {
    const unfit = entry.checkConnection?.(params, connection) ?? [];
    if (unfit.length > 0) throw unprocessable(unfit.map((issue) => ({ ...issue, path: base + issue.path })));
  }

  async function checkRuleDocument(rule: Rule, writer: Pick<ConfigWriter, 'get'>): Promise<void> {
    const actions = new Map<string, ActionConfig>();
    for (const entry of rule.then) {
      if (!isActionEntry(entry) || actions.has(entry.action)) continue;
      const stored = await writer.get('action', entry.action);
      if (stored !== null) actions.set(entry.action, stored.document as unknown as ActionConfig);
    }
    const playbooks = new Set<string>();
    for (const entry of rule.then)
      if (!isActionEntry(entry) && (await writer.get('playbook', entry.playbook)) !== null)
        playbooks.add(entry.playbook);
    const named = parseRule(rule).rule;
    const lists = await readLists(named === null ? [] : listsOf(named.condition), writer);
    const issues = checkRule(rule, { actions, playbooks, lists });
    if (issues.length > 0) throw unprocessable(issues);
    const failing = ruleTestIssues(rule, { now: now(), lists: buildNamedLists(lists).lists });
    if (failing.length > 0) throw unprocessable(failing, 'tests_failed');
    for (const [index, entry] of rule.then.entries()) {
      if (!isActionEntry(entry) || entry.with === undefined) continue;
      const action = actions.get(entry.action);
      const type = action === undefined ? undefined : catalogue.actions[action.type];
      if (action === undefined || type === undefined) continue;
      const params = { ...action.params, ...entry.with };
      checkParams(type, params, `/then/${index}/with`);
      const connection =
        action.connection === undefined ? null : await writer.get('connection', action.connection);
      if (connection !== null)
        checkTogether(type, params, connection.document as unknown as Connection, `/then/${index}/with`);
    }
  }

  async function checkListDocument(list: ValueList, writer: Pick<ConfigWriter, 'get'>): Promise<void> {
    const before = await writer.get('list', list.id);
    const held = before === null ? undefined : (before.document as unknown as ValueList);
    // Lists that include it and rules that use it were checked against its comparison.
    if (held !== undefined && (held.comparison ?? 'text') !== (list.comparison ?? 'text'))
      throw unprocessable([
        { path: '/comparison', message: 'cannot change; make a new list under another id' },
      ]);
    const issues = checkList(list, await readLists(list.include ?? [], writer));
    if (issues.length > 0) throw unprocessable(issues);
  }

  async function checkPlaybookDocument(
    playbook: Playbook,
    writer: Reader,
    author: string,
  ): Promise<readonly Issue[]> {
    const options = { writer, types: catalogue.actions, shape: shapeIssues, author };
    const { own, names } = await playbookIssues(playbook, options);
    if (own.length > 0) throw unprocessable(own);
    if (names.length > 0 && playbook.enabled !== false) throw unprocessable(names);
    return names;
  }

  async function checkFlat(document: Document, writer: Reader): Promise<void> {
    const value = document as unknown;
    if (document.kind === 'rule') return checkRuleDocument(value as Rule, writer);
    if (document.kind === 'action') return checkUse(value as ActionConfig, catalogue.actions, writer);
    if (document.kind === 'list') return checkListDocument(value as ValueList, writer);
    if (document.kind === 'sink') return checkUse(value as SinkConfig, catalogue.sinks, writer);
    const issues = checkConnection(value as Connection);
    if (issues.length > 0) throw unprocessable(issues, issues[0]?.code);
  }

  return async (document, writer, author) => {
    if (document.kind === 'playbook')
      return checkPlaybookDocument(document as unknown as Playbook, writer, author);
    await checkFlat(document, writer);
    return [];
  };
}

// The lists with these ids and everything that they include; what does not exist is not in it.
export async function readLists(
  ids: readonly string[],
  writer: { get: (kind: 'list', id: string) => Promise<{ readonly document: Document } | null> },
): Promise<ReadonlyMap<string, ValueList>> {
  const found = new Map<string, ValueList>();
  const seen = new Set(ids);
  for (const id of seen) {
    const stored = await writer.get('list', id);
    if (stored === null) continue;
    const list = stored.document as unknown as ValueList;
    found.set(id, list);
    for (const next of list.include ?? []) seen.add(next);
  }
  return found;
}
