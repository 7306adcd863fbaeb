// Published versions of playbooks in memory, as the services know them from their topic.
import type { PlaybookVersion } from '@tocsin/schemas/types.ts';
import { compileVersion } from '../domain/playbooks/parse-playbook.ts';
import type { Program } from '../domain/playbooks/program.ts';
import type { KnownVersions } from '../run/playbooks/await-versions.ts';

export interface TestVersions extends KnownVersions {
  /** Throws when the version is invalid. */
  publish(version: PlaybookVersion): void;
  /** As a process does whose topic lost it. */
  forget(playbook: string, revision: number): void;
}

export function knownVersions(published: readonly PlaybookVersion[]): TestVersions {
  const programs = new Map<string, Program>();
  const versions: TestVersions = {
    definitions: (playbook, revision) => programs.get(`${playbook}@${revision}`) ?? null,
    has: (playbook, revision) => programs.has(`${playbook}@${revision}`),
    catchUp: async () => undefined,
    publish(version) {
      const { program, issues } = compileVersion(version);
      if (program === null) throw new Error(JSON.stringify(issues));
      programs.set(`${version.document.id}@${version.revision}`, program);
    },
    forget: (playbook, revision) => void programs.delete(`${playbook}@${revision}`),
  };
  for (const version of published) versions.publish(version);
  return versions;
}
