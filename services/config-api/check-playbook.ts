// Whether a playbook that fits its schema can also run: its own rules, what it names, and the parameters of its steps.
//
// Surprise: a playbook that is switched off may name what does not exist yet; it is a draft and is not published.
import type { ConfigWriter } from '@tocsin/adapters/postgres/config-store.ts';
import type { Issue } from '@tocsin/schemas/codecs/validate.ts';
import type { ActionConfig, Connection, Playbook } from '@tocsin/schemas/types.ts';
import { connectionTypes } from '@tocsin/topologies/domain/action/define-action.ts';
import { outlineOf } from '@tocsin/topologies/domain/playbooks/outline.ts';
import { checkPlaybook } from '@tocsin/topologies/domain/playbooks/parse-playbook.ts';
import type { ProgramStep } from '@tocsin/topologies/domain/playbooks/program.ts';
import { namedByPlaybook, versionOf } from '@tocsin/topologies/domain/playbooks/version-of.ts';
import { type Params, readLists, type TypeEntry } from './check-document.ts';

export interface PlaybookIssues {
  /** Wrong whatever else exists. */
  readonly own: readonly Issue[];
  /** Wrong together with what exists now. */
  readonly names: readonly Issue[];
}

export interface PlaybookCheckOptions {
  readonly writer: Pick<ConfigWriter, 'get' | 'published'>;
  readonly types: Readonly<Record<string, TypeEntry>>;
  /** Issues of parameters against the schema of their type. */
  readonly shape: (entry: TypeEntry, params: Params) => readonly Issue[];
  /** Who writes this revision. */
  readonly author: string;
}

/** `document` fits its schema. */
export async function playbookIssues(
  document: Playbook,
  { writer, types, shape, author }: PlaybookCheckOptions,
): Promise<PlaybookIssues> {
  const own = checkPlaybook(document, { author });
  if (own.length > 0) return { own, names: [] };
  const named = namedByPlaybook(document);
  const actions = await readAll<ActionConfig>('action', named.actions);
  const inActions = [...actions.values()].flatMap(({ document: { connection } }) => connection ?? []);
  const connections = await readAll<Connection>('connection', [...named.connections, ...inActions]);
  const published = await writer.published(named.playbooks);
  const lists = await readLists(named.lists, writer);
  const names = checkPlaybook(document, {
    actions,
    connections,
    playbooks: { has: (id) => id === document.id || published.has(id) },
    lists,
  });
  for (const step of outlineOf(document).steps.values())
    if (step.kind === 'action') names.push(...stepIssues(step));
  // Beyond what is named, a version has a size.
  if (names.length === 0)
    names.push(...versionOf({ document, revision: 1, actions, playbooks: published }).issues);
  return { own, names: await Promise.all(names.map(explainDraft)) };

  async function readAll<Document>(
    kind: 'action' | 'connection',
    ids: readonly string[],
  ): Promise<Map<string, { document: Document; revision: number }>> {
    const found = new Map<string, { document: Document; revision: number }>();
    for (const id of new Set(ids)) {
      const stored = await writer.get(kind, id);
      if (stored !== null)
        found.set(id, { document: stored.document as unknown as Document, revision: stored.revision });
    }
    return found;
  }

  // A playbook that exists and is not published does exist, whatever the checker of the document can know.
  async function explainDraft(issue: Issue): Promise<Issue> {
    const id = /^the playbook (\S+) does not exist$/.exec(issue.message)?.[1];
    if (id === undefined || (await writer.get('playbook', id)) === null) return issue;
    return { ...issue, message: `the playbook ${id} is a draft that names what does not exist` };
  }

  function stepIssues({ step, pointer }: ProgramStep): Issue[] {
    const config = typeof step.action === 'string' ? actions.get(step.action)?.document : step.action;
    if (config === undefined) return [];
    const isInline = typeof step.action === 'object';
    const entry = Object.hasOwn(types, config.type) ? types[config.type] : undefined;
    if (entry === undefined)
      return isInline
        ? [
            {
              path: `${pointer}/action/type`,
              message: `must be one of ${Object.keys(types).join(', ')}`,
            },
          ]
        : [{ path: `${pointer}/action`, message: `the action type ${config.type} does not exist` }];
    const given = { ...config.params, ...step.with };
    if (isInline) {
      const unfit = connectionIssue(entry, config.connection, given);
      if (unfit !== null) return [{ path: `${pointer}/action/connection`, message: unfit }];
    } else if (step.with === undefined) return [];
    return paramIssues(entry, given, connections.get(config.connection ?? '')?.document).map(
      ({ path, message }) => {
        const [, first = ''] = path.split('/');
        if (step.with !== undefined && Object.hasOwn(step.with, first))
          return { path: `${pointer}/with${path}`, message };
        return isInline
          ? { path: `${pointer}/action/params${path}`, message }
          : { path: `${pointer}/with`, message: `${path}: ${message}` };
      },
    );
  }

  function connectionIssue(
    { manifest, needsConnection }: TypeEntry,
    id: string | undefined,
    params: Params,
  ): string | null {
    if (manifest.connection === null)
      return id === undefined ? null : `the type ${manifest.id} uses no connection`;
    if (id === undefined)
      return needsConnection?.(params) === false ? null : `the type ${manifest.id} needs a connection`;
    const connection = connections.get(id)?.document;
    const allowed = connectionTypes(manifest.connection);
    return connection === undefined || allowed.includes(connection.type)
      ? null
      : `must be a connection of type ${allowed.join(' or ')}`;
  }

  // What a path gives is known in the run alone.
  function paramIssues(entry: TypeEntry, params: Params, connection: Connection | undefined): Issue[] {
    const open = Object.keys(params).filter((name) => hasReference(params[name]));
    const wrong = shape(entry, params).filter(({ path }) => !open.includes(path.split('/')[1] ?? ''));
    if (wrong.length > 0 || open.length > 0) return [...wrong];
    const unfit = entry.check(params);
    if (unfit.length > 0 || connection === undefined) return unfit;
    return entry.checkConnection?.(params, connection) ?? [];
  }
}

function hasReference(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false;
  return Object.hasOwn(value, '$') || Object.values(value).some(hasReference);
}
