// Triggers and waits in the matcher, beside the rules: what is put there is also read of events and checked again.
//
// Invariant: what runs wait for only grows: a run of an old version may wait for years after its playbook has changed.
import type { Playbook } from '@tocsin/schemas/types.ts';
import { waitsOf } from '../playbooks/waits-of.ts';
import type { Matcher } from '../rules/matcher/matcher.ts';
import type { RuleRevision } from '../rules/parse-rule.ts';
import { waitEntry } from './entries.ts';
import type { WantedParts } from './wanted-parts.ts';

export interface WatchedEntries {
  /** Paths where runs look in events that they may wait for, by event type. */
  readonly waits: ReadonlyMap<string, ReadonlySet<string>>;
  put(entry: RuleRevision): void;
  remove(id: string): void;
  /** Adds what the playbook waits for. */
  learn(document: Playbook): void;
}

/** `eventRules`: everything in the matcher over events, by id. */
export function createWatchedEntries(
  matcher: Matcher,
  parts: WantedParts,
  eventRules: Map<string, RuleRevision>,
): WatchedEntries {
  const waits = new Map<string, Set<string>>();

  function put(entry: RuleRevision): void {
    matcher.put(entry);
    if (entry.document.source === 'search-results') return;
    parts.add(entry.condition);
    eventRules.set(entry.document.id, entry);
  }

  return {
    waits,
    put,
    remove(id) {
      matcher.remove(id);
      const before = eventRules.get(id);
      if (before !== undefined) parts.remove(before.condition);
      eventRules.delete(id);
    },
    learn(document) {
      for (const { event, at } of waitsOf(document)) {
        const paths = waits.get(event);
        if (paths === undefined) {
          waits.set(event, new Set([at]));
          put(waitEntry(event));
        } else paths.add(at);
      }
    },
  };
}
