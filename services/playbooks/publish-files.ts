// Playbooks of a folder of files are published as versions, those that their topic lacks; nobody else does it for them.
//
// Invariant: a playbook that cannot be used is left out with a line in the log and keeps no other from being published.
import type { ConfigEntry } from '@tocsin/adapters/config/config-source.ts';
import { readConfigDirectory, watchConfigDirectory } from '@tocsin/adapters/config/directory.ts';
import type { PlaybookVersions } from '@tocsin/adapters/config/playbook-versions.ts';
import { checkDocument, formatIssues, type Issue } from '@tocsin/schemas/codecs/validate.ts';
import type { ActionConfig, Playbook } from '@tocsin/schemas/types.ts';
import { actions as actionTypes } from '@tocsin/topologies/actions/registry.ts';
import { privilegedTypes } from '@tocsin/topologies/domain/action/grants.ts';
import { checkPlaybook } from '@tocsin/topologies/domain/playbooks/parse-playbook.ts';
import { type BuiltVersion, versionsOfFiles } from '@tocsin/topologies/domain/playbooks/version-of.ts';
import type { Logger } from '@tocsin/topologies/ports/logger.ts';

const privileged = privilegedTypes(Object.values(actionTypes).map(({ manifest }) => manifest));

export interface PublishFilesOptions {
  readonly directory: string;
  readonly versions: Pick<PlaybookVersions, 'publishMissing'>;
  readonly logger: Logger;
  readonly onFailure: (error: Error) => void;
}

/** Resolves when what the folder holds now is published; publishes what changes until the returned function is called. */
export async function publishFiles(options: PublishFilesOptions): Promise<() => void> {
  const { directory, versions, logger, onFailure } = options;
  const entries = new Map<string, ConfigEntry>();
  const told = new Set<string>();
  let turn = Promise.resolve();

  async function publish(): Promise<void> {
    const { built, problems } = versionsIn([...entries.values()]);
    const usable = [...built.values()].flatMap(({ version }) => (version === null ? [] : [version]));
    for (const problem of problems) {
      if (!told.has(problem)) logger.error('playbook left out', { problem });
      told.add(problem);
    }
    await versions.publishMissing(usable);
  }

  const content = await readConfigDirectory(directory);
  for (const entry of content.entries) entries.set(entry.key, entry);
  for (const problem of content.problems) logger.error('configuration file left out', { problem });
  await publish();
  return watchConfigDirectory(directory, content, (changed, unreadable) => {
    for (const entry of changed)
      if (entry.record === null) entries.delete(entry.key);
      else entries.set(entry.key, entry);
    for (const problem of unreadable) logger.error('configuration file left out', { problem });
    turn = turn.then(publish).catch(onFailure);
  });
}

/** The versions that the documents of a folder give, and why others give none. */
export function versionsIn(entries: readonly ConfigEntry[]): {
  readonly built: ReadonlyMap<string, BuiltVersion>;
  readonly problems: readonly string[];
} {
  const playbooks = new Map<string, { document: Playbook }>();
  const actions = new Map<string, { document: ActionConfig; revision: number }>();
  const problems: string[] = [];
  for (const { key, record } of entries) {
    if (record === null) continue;
    const { kind, id } = record.document as { kind: string; id: string };
    if (kind !== 'playbook' && kind !== 'action') continue;
    const issues: readonly Issue[] =
      kind === 'playbook' ? checkPlaybook(record.document) : checkDocument('action.json', record.document);
    if (issues.length > 0) problems.push(`${key}: ${formatIssues([...issues])}`);
    else if (kind === 'playbook') playbooks.set(id, { document: record.document as unknown as Playbook });
    else
      actions.set(id, {
        document: record.document as unknown as ActionConfig,
        revision: record.revision,
      });
  }
  const built = versionsOfFiles({ playbooks, actions, privileged });
  for (const [id, { issues }] of built)
    if (issues.length > 0) problems.push(`playbook/${id}: ${formatIssues([...issues])}`);
  return { built, problems };
}
