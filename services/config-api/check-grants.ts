// What a document does with privileged action types, and whether the one who saves it may: an action of such a type, rules and playbooks
// that name one, and those that start a playbook that does.
//
// Invariant: what is switched off is looked at like the rest, so switching on is no way around.
// Surprise: what does not exist is no use; a draft that names it is looked at again when it is switched on.
import { type Actor, can } from '@tocsin/adapters/postgres/access.ts';
import type { ConfigStore, Document } from '@tocsin/adapters/postgres/config-store.ts';
import { publishedVersion } from '@tocsin/adapters/postgres/publish-version.ts';
import type { Db } from '@tocsin/adapters/postgres/schema.ts';
import type { Issue } from '@tocsin/schemas/codecs/validate.ts';
import type { Playbook, PlaybookVersion, Rule } from '@tocsin/schemas/types.ts';
import {
  type ActionGrant,
  grantOf,
  grantsNeeded,
  privilegedTypes,
} from '@tocsin/topologies/domain/action/grants.ts';
import { type ActionUse, actionUses } from '@tocsin/topologies/domain/playbooks/action-uses.ts';
import { outlineOf } from '@tocsin/topologies/domain/playbooks/outline.ts';
import { namedByPlaybook } from '@tocsin/topologies/domain/playbooks/version-of.ts';
import { isActionEntry } from '@tocsin/topologies/domain/rules/parse-rule.ts';
import type { Catalogue } from './check-document.ts';
import { ApiError } from './errors.ts';

/** What is stored now. */
interface Reader extends Pick<ConfigStore, 'get'> {
  /** A published revision of a playbook; null when the database has none, as with a folder of files. */
  version(id: string, revision: number): Promise<PlaybookVersion | null>;
}

/** Of the database, in a transaction or not. */
export function grantReader({ get }: Pick<ConfigStore, 'get'>, db: Db): Reader {
  return { get, version: (id, revision) => publishedVersion(db, id, revision) };
}

export interface GrantCheck {
  /** The scopes that the document needs for privileged types. Throws 403 that names the first one that `actor` lacks and where. */
  save(actor: Actor, document: Document, reader: Reader): Promise<readonly ActionGrant[]>;
  /** Throws the same when a run of the playbook as it is stored would use what `actor` may not; without one nothing. */
  start(actor: Actor, playbook: string, reader: Reader): Promise<void>;
}

/** The privileged action types of the catalogue. */
export function privilegedOf({ actions }: Pick<Catalogue, 'actions'>): ReadonlySet<string> {
  return privilegedTypes(Object.values(actions).map(({ manifest }) => manifest));
}

export function createGrantCheck(catalogue: Pick<Catalogue, 'actions'>): GrantCheck {
  const privileged = privilegedOf(catalogue);

  async function typeOf(action: string, reader: Reader): Promise<string | undefined> {
    return (await reader.get('action', action))?.document['type'] as string | undefined;
  }

  async function usesOfSteps(document: Playbook, reader: Reader): Promise<ActionUse[]> {
    const types = new Map<string, string | undefined>();
    for (const id of namedByPlaybook(document).actions) types.set(id, await typeOf(id, reader));
    return actionUses(document, (id) => types.get(id));
  }

  /** Of a stored playbook and of those that it runs, at the revisions that it runs them; all at `path`. */
  async function usesBelow(playbook: string, path: string, reader: Reader): Promise<ActionUse[]> {
    const uses: ActionUse[] = [];
    const reached = new Map<string, readonly [id: string, revision: number | null]>();
    const reach = (id: string, revision: number | null) => reached.set(`${id}@${revision}`, [id, revision]);
    reach(playbook, null);
    for (const [id, pinned] of reached.values()) {
      const stored = await reader.get('playbook', id);
      const revision = pinned ?? stored?.revision;
      const version = revision === undefined ? null : await reader.version(id, revision);
      if (version !== null) {
        const { document, actions, playbooks } = version;
        for (const [below, at] of Object.entries(playbooks)) reach(below, at);
        uses.push(...actionUses(document, (action) => actions[action]?.document.type));
      } else if (stored !== null) {
        const document = stored.document as unknown as Playbook;
        for (const below of namedByPlaybook(document).playbooks) reach(below, null);
        uses.push(...(await usesOfSteps(document, reader)));
      }
    }
    return uses.map(({ type }) => ({ type, path }));
  }

  async function usesOf(document: Document, reader: Reader): Promise<ActionUse[]> {
    if (document.kind === 'action') return [{ type: String(document['type']), path: '/type' }];
    const uses: ActionUse[] = [];
    if (document.kind === 'rule')
      for (const [index, entry] of (document as unknown as Rule).then.entries())
        if (isActionEntry(entry)) {
          const type = await typeOf(entry.action, reader);
          if (type !== undefined) uses.push({ type, path: `/then/${index}/action` });
        } else uses.push(...(await usesBelow(entry.playbook, `/then/${index}/playbook`, reader)));
    if (document.kind === 'playbook') {
      const playbook = document as unknown as Playbook;
      uses.push(...(await usesOfSteps(playbook, reader)));
      for (const { step, pointer } of outlineOf(playbook).steps.values())
        if (step.playbook !== undefined && step.playbook.id !== document.id)
          uses.push(...(await usesBelow(step.playbook.id, `${pointer}/playbook/id`, reader)));
    }
    return uses;
  }

  function refuse(actor: Actor, uses: readonly ActionUse[]): void {
    const issues: Issue[] = [];
    for (const { type, path } of uses) {
      if (!privileged.has(type) || can(actor.scopes, grantOf(type))) continue;
      const message = `needs the scope ${grantOf(type)}`;
      if (!issues.some((issue) => issue.path === path && issue.message === message))
        issues.push({ path, message });
    }
    const [first] = issues;
    if (first !== undefined)
      throw new ApiError(403, 'forbidden', `${first.path || 'this playbook'} ${first.message}`, { issues });
  }

  return {
    async save(actor, document, reader) {
      if (privileged.size === 0) return [];
      const uses = await usesOf(document, reader);
      refuse(actor, uses);
      return grantsNeeded(uses, privileged);
    },
    async start(actor, playbook, reader) {
      if (privileged.size > 0) refuse(actor, await usesBelow(playbook, '', reader));
    },
  };
}
