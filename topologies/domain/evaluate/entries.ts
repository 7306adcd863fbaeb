// Entries of the matcher that are no rule: triggers of playbooks, and event types that some run may wait for.
//
// Invariant: their ids hold a colon, which no id of a rule does, and their documents say the same as their conditions, so that
// whoever checks the matcher can ask about them too.
import type { Playbook, Rule } from '@tocsin/schemas/types.ts';
import { fold } from '../rules/fold.ts';
import { parseWhen } from '../rules/parse-condition.ts';
import type { RuleRevision } from '../rules/parse-rule.ts';

const triggerPrefix = 'playbook:';
const waitPrefix = 'wait:';

export type EntryKind = 'rule' | 'trigger' | 'wait';

export function kindOfEntry({ document: { id } }: RuleRevision): EntryKind {
  if (id.startsWith(triggerPrefix)) return 'trigger';
  return id.startsWith(waitPrefix) ? 'wait' : 'rule';
}

/** The id of the playbook whose trigger it is. */
export function playbookOfEntry({ document: { id } }: RuleRevision): string {
  return id.slice(triggerPrefix.length);
}

export function triggerId(playbook: string): string {
  return triggerPrefix + playbook;
}

/** The trigger of a checked playbook as the matcher asks it; null without one. */
export function triggerEntry({ id, trigger }: Playbook, revision: number): RuleRevision | null {
  if (trigger === undefined) return null;
  const { source = 'events', when, match_all: all } = trigger;
  const condition = all === true ? { kind: 'all' as const, of: [] } : parseWhen(when ?? {}, source).condition;
  if (condition === null) return null;
  const asked = all === true ? { match_all: true } : { when };
  const document = { kind: 'rule', id: triggerId(id), source, ...asked, then: [] };
  return { document: document as unknown as Rule, revision, condition };
}

/**
 * Holds for every event of the type, and for others whose type differs in case alone, as conditions of rules do: who takes the event
 * compares again.
 */
export function waitEntry(type: string): RuleRevision {
  const document = { kind: 'rule', id: waitPrefix + type, when: { event: type }, then: [] };
  return {
    document: document as unknown as Rule,
    revision: 1,
    condition: {
      kind: 'field',
      paths: [{ root: 'fields', segments: ['event'] }],
      tests: [{ op: 'in', comparison: 'text', values: [fold(type)], orNull: false }],
    },
  };
}
