// The version of a playbook that runs keep: the document with the actions that it names and the revisions of the playbooks that it runs.
//
// Invariant: the same documents give the same version; two versions of a playbook with different content have different revisions.
// Surprise: files have no history, so the revision of a version made from them is a hash over everything that a run can reach: the
// document, its actions, and the playbooks below it with theirs. It changes when any of these changes.
import type { Issue } from '@tocsin/schemas/codecs/validate.ts';
import type { ActionConfig, Playbook, PlaybookVersion } from '@tocsin/schemas/types.ts';
import { grantsNeeded } from '../action/grants.ts';
import { digestOf } from '../digest.ts';
import { listsOf } from '../rules/lists-of.ts';
import { parseWhen } from '../rules/parse-condition.ts';
import { actionUses } from './action-uses.ts';
import { outlineOf } from './outline.ts';
import { compileVersion } from './parse-playbook.ts';

/** What a playbook names, in compensations too; each once, in the order of the document. */
export interface NamedByPlaybook {
  readonly actions: readonly string[];
  readonly playbooks: readonly string[];
  /** Of actions that stand in steps. */
  readonly connections: readonly string[];
  /** In the conditions of the trigger. */
  readonly lists: readonly string[];
}

interface At<Document> {
  readonly document: Document;
  readonly revision: number;
}

/** Largest version, UTF-8 bytes of its JSON: below a broker's default message limit with room for the key. */
const maxVersionBytes = 1_000_000;

/** `document` fits its schema. */
export function namedByPlaybook(document: Playbook): NamedByPlaybook {
  const actions = new Set<string>();
  const playbooks = new Set<string>();
  const connections = new Set<string>();
  for (const { step } of outlineOf(document).steps.values()) {
    if (typeof step.action === 'string') actions.add(step.action);
    else if (step.action?.connection !== undefined) connections.add(step.action.connection);
    if (step.playbook !== undefined) playbooks.add(step.playbook.id);
  }
  const { when, source = 'events' } = document.trigger ?? {};
  const condition = when === undefined ? null : parseWhen(when, source).condition;
  return {
    actions: [...actions],
    playbooks: [...playbooks],
    connections: [...connections],
    lists: condition === null ? [] : listsOf(condition),
  };
}

export type BuiltVersion =
  | { readonly version: PlaybookVersion; readonly issues: [] }
  | { readonly version: null; readonly issues: readonly Issue[] };

export interface VersionParts {
  /** Fits its schema. */
  readonly document: Playbook;
  readonly revision: number;
  /** Those that exist; what no step names is left out. */
  readonly actions: ReadonlyMap<string, At<ActionConfig>>;
  /** Revisions of the versions of playbooks, those that exist; likewise. */
  readonly playbooks: ReadonlyMap<string, number>;
  readonly published?: { readonly by: string; readonly at: number };
  /** Held by whoever saved it, as far as its steps need it; in the order given. */
  readonly grants?: readonly string[];
}

/** The version of one revision, or every reason why it has none: what is missing is named by JSON Pointer. */
export function versionOf({
  document,
  revision,
  actions,
  playbooks,
  published,
  grants = [],
}: VersionParts): BuiltVersion {
  const named = namedByPlaybook(document);
  const pinned = <T>(ids: readonly string[], held: ReadonlyMap<string, T>): Record<string, T> =>
    Object.fromEntries(ids.flatMap((id) => (held.has(id) ? [[id, held.get(id) as T] as const] : [])));
  const others = named.playbooks.filter((id) => id !== document.id);
  const version: PlaybookVersion = {
    v: 1,
    revision,
    document,
    actions: pinned(named.actions, actions),
    playbooks: pinned(others, playbooks),
    ...(published === undefined ? {} : { published_by: published.by, published_at: published.at }),
    ...(grants.length === 0 ? {} : { grants: [...grants] }),
  };
  const { issues } = compileVersion(version);
  if (issues.length > 0) return { version: null, issues };
  if (Buffer.byteLength(JSON.stringify(version)) > maxVersionBytes)
    return {
      version: null,
      issues: [
        { path: '/steps', message: `with its actions a playbook has at most ${maxVersionBytes} bytes` },
      ],
    };
  return { version, issues: [] };
}

/** Playbooks and actions as a folder of files holds them. */
export interface PlaybookFiles {
  readonly playbooks: ReadonlyMap<string, { readonly document: Playbook }>;
  readonly actions: ReadonlyMap<string, At<ActionConfig>>;
  /** Privileged action types: who owns the folder may use them all. */
  readonly privileged: ReadonlySet<string>;
}

/**
 * The versions that files give, by playbook, and why the others have none. Playbooks that run each other in a circle are fine; one
 * that runs a playbook without version has none itself.
 */
export function versionsOfFiles(files: PlaybookFiles): ReadonlyMap<string, BuiltVersion> {
  const named = new Map([...files.playbooks].map(([id, { document }]) => [id, namedByPlaybook(document)]));
  const digests = new Map<string, string>();
  const digest = (kind: 'action' | 'playbook', id: string): string => {
    const key = `${kind}/${id}`;
    const held = kind === 'action' ? files.actions.get(id) : files.playbooks.get(id);
    const known = digests.get(key) ?? digestOf(held?.document ?? null);
    digests.set(key, known);
    return known;
  };
  const revisions = new Map([...named.keys()].map((id) => [id, revisionOf(id, named, digest)]));

  const built = new Map<string, BuiltVersion>();
  const usable = new Map(revisions);
  for (let before = -1; before !== usable.size; ) {
    before = usable.size;
    for (const [id, { document }] of files.playbooks) {
      if (built.has(id) && !usable.has(id)) continue;
      const revision = revisions.get(id) as number;
      const grants = grantsNeeded(
        actionUses(document, (action) => files.actions.get(action)?.document.type),
        files.privileged,
      );
      const one = versionOf({ document, revision, actions: files.actions, playbooks: usable, grants });
      built.set(id, one);
      if (one.version === null) usable.delete(id);
    }
  }
  return built;
}

// Ids are in it because the digests alone do not say which of them is which.
function revisionOf(
  id: string,
  named: ReadonlyMap<string, NamedByPlaybook>,
  digest: (kind: 'action' | 'playbook', id: string) => string,
): number {
  const playbooks = new Set([id]);
  const actions = new Set<string>();
  for (const reached of playbooks) {
    for (const action of named.get(reached)?.actions ?? []) actions.add(action);
    for (const below of named.get(reached)?.playbooks ?? []) playbooks.add(below);
  }
  const content = [
    ...[...playbooks].sort().map((one) => ['playbook', one, digest('playbook', one)]),
    ...[...actions].sort().map((one) => ['action', one, digest('action', one)]),
  ];
  // 48 bits: a safe integer, and no two versions of one playbook are likely to share it within its life.
  return Number.parseInt(digestOf([id, content]).slice(0, 12), 16) + 1;
}
