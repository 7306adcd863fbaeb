// Rules from files are tested as those that are saved: a rule whose own tests fail is left out.
//
// The surprise: a folder is looked at every second, so verdicts are kept until the rule or a list changes. Tests that
// speak of now without saying when are asked when the rule is read, not later.
import type { Issue } from '@tocsin/schemas/codecs/validate.ts';
import type { ValueList } from '@tocsin/schemas/types.ts';
import { buildNamedLists } from '@tocsin/topologies/domain/rules/named-list.ts';
import { ruleTestIssues } from '@tocsin/topologies/domain/rules/tests/run-tests.ts';
import type { ConfigEntry } from './config-source.ts';

/** Issues of the rules whose tests fail, by key. */
export type RuleTestGate = (entries: readonly ConfigEntry[]) => ReadonlyMap<string, readonly Issue[]>;

/** @param now epoch ms, for tests that speak of now */
export function createRuleTestGate(now: () => number): RuleTestGate {
  let held = new Map<string, Issue[]>();
  return (entries) => {
    const lists = entries.filter(({ key }) => key.startsWith('list/'));
    const tested = entries.filter(
      ({ key, record }) => key.startsWith('rule/') && 'tests' in (record?.document ?? {}),
    );
    if (tested.length === 0) return new Map();
    const state = lists.map(({ key, record }) => `${key}@${record?.revision}`).join();
    const context = { now: now(), lists: buildNamedLists(documentsOf(lists)).lists };
    const next = new Map<string, Issue[]>();
    const failing = new Map<string, readonly Issue[]>();
    for (const { key, record } of tested) {
      const version = `${key}@${record?.revision} ${state}`;
      const issues = held.get(version) ?? ruleTestIssues(record?.document, context);
      next.set(version, issues);
      if (issues.length > 0) failing.set(key, issues);
    }
    held = next;
    return failing;
  };
}

function documentsOf(entries: readonly ConfigEntry[]): ReadonlyMap<string, ValueList> {
  const documents = entries.map(({ record }) => record?.document as unknown as ValueList);
  return new Map(documents.map((document) => [document.id, document]));
}
