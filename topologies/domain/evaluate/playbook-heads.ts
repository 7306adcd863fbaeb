// The playbooks that can be started now, and their triggers, kept while the configuration changes.
//
// Invariant: a playbook that cannot be used is left out and reported; it takes no other down.
// Surprise: with files a changed action is a changed playbook, because nobody else published what the playbook keeps.
import { formatIssues, type Issue } from '@tocsin/schemas/codecs/validate.ts';
import type { ActionConfig, Playbook, PlaybookVersion } from '@tocsin/schemas/types.ts';
import { configKey, type Revision } from '../config/config-table.ts';
import { checkPlaybook } from '../playbooks/parse-playbook.ts';
import { versionsOfFiles } from '../playbooks/version-of.ts';
import type { KnownLists } from '../rules/operators/operator.ts';
import { parseWhen } from '../rules/parse-condition.ts';
import type { RuleRevision } from '../rules/parse-rule.ts';
import { triggerEntry } from './entries.ts';

export interface PlaybookHead {
  readonly document: Playbook;
  /** Of its version: what a start names. */
  readonly revision: number;
  /** Made from files, for whoever starts it to publish; null when the revision was published with its document. */
  readonly version: PlaybookVersion | null;
}

/** published: revisions come with their versions published. files: revisions are made from everything that a run can reach. */
export type VersionOrigin = 'published' | 'files';

export interface PlaybookHeads {
  readonly heads: ReadonlyMap<string, PlaybookHead>;
  /** What follows for the matcher: the trigger of each playbook that changed, null for none. */
  apply(playbooks: readonly string[], actionsChanged: boolean): ReadonlyMap<string, RuleRevision | null>;
  /** What is wrong with a playbook, '' for nothing. */
  problem(id: string, lists: KnownLists): string;
}

export function createPlaybookHeads(
  playbooks: ReadonlyMap<string, Revision<Playbook>>,
  actions: ReadonlyMap<string, Revision<ActionConfig>>,
  origin: VersionOrigin,
  privileged: ReadonlySet<string>,
): PlaybookHeads {
  const heads = new Map<string, PlaybookHead>();
  const wrong = new Map<string, readonly Issue[]>();

  function put(id: string, head: PlaybookHead | null, issues: readonly Issue[]): RuleRevision | null {
    wrong.delete(id);
    if (issues.length > 0) wrong.set(id, issues);
    if (head === null) {
      heads.delete(id);
      return null;
    }
    heads.set(id, head);
    return head.document.enabled === false ? null : triggerEntry(head.document, head.revision);
  }

  function followPublished(id: string): RuleRevision | null {
    const held = playbooks.get(id);
    if (held === undefined) return put(id, null, []);
    const issues = checkPlaybook(held.document);
    return put(id, issues.length > 0 ? null : { ...held, version: null }, issues);
  }

  function followFiles(): Map<string, RuleRevision | null> {
    const changed = new Map<string, RuleRevision | null>();
    const versions = versionsOfFiles({ playbooks, actions, privileged });
    for (const id of heads.keys()) if (!versions.has(id)) changed.set(id, put(id, null, []));
    for (const [id, { version, issues }] of versions) {
      const before = heads.get(id);
      if (version !== null && before?.revision === version.revision) continue;
      const head = version && { document: version.document, revision: version.revision, version };
      changed.set(id, put(id, head, issues));
    }
    for (const id of wrong.keys()) if (!playbooks.has(id)) wrong.delete(id);
    return changed;
  }

  return {
    heads,
    apply(changed, actionsChanged) {
      if (origin === 'published') return new Map(changed.map((id) => [id, followPublished(id)]));
      return changed.length > 0 || actionsChanged ? followFiles() : new Map();
    },
    problem(id, lists) {
      const held = playbooks.get(id);
      if (held === undefined) return '';
      const { when, source = 'events' } = held.document.trigger ?? {};
      const named = when === undefined || !heads.has(id) ? [] : parseWhen(when, source, lists).issues;
      const issues = [
        ...(wrong.get(id) ?? []),
        ...named.map(({ path, message }) => ({ path: `/trigger${path}`, message })),
      ];
      return issues.length === 0
        ? ''
        : `${configKey('playbook', id)} revision ${held.revision}: ${formatIssues(issues)}`;
    },
  };
}

/** The versions that a run of the playbook may need and that nobody has published with their documents. */
export function versionsToStart(
  playbook: string,
  heads: ReadonlyMap<string, PlaybookHead>,
): PlaybookVersion[] {
  const ids = new Set([playbook]);
  const versions: PlaybookVersion[] = [];
  for (const id of ids) {
    const version = heads.get(id)?.version;
    if (version === null || version === undefined) continue;
    versions.push(version);
    for (const below of Object.keys(version.playbooks)) ids.add(below);
  }
  return versions;
}
