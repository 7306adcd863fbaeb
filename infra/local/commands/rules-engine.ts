// Checked rules and the bytes of events: which rules match, with the matcher that the evaluator runs.
//
// Surprise: only what names a rule is kept beside the matcher's tables. Rules do not change here, so neither their documents
// nor their conditions are needed again, and memory is that of the tables.
import { randomInt } from 'node:crypto';
import { parseJsonRange } from '@tocsin/schemas/codecs/json.ts';
import { createScanner, hashText } from '@tocsin/schemas/codecs/scan/scanner.ts';
import type { Condition } from '@tocsin/topologies/domain/rules/condition.ts';
import type { MatchContext, NamedList } from '@tocsin/topologies/domain/rules/context.ts';
import { createMatcher } from '@tocsin/topologies/domain/rules/matcher/matcher.ts';
import type { RuleRevision } from '@tocsin/topologies/domain/rules/parse-rule.ts';
import type { RuleSource } from '@tocsin/topologies/domain/rules/path.ts';

export interface RuleEngine {
  readonly size: number;
  /**
   * The rules that hold for the event in `bytes[start, end)`, higher priority first, then by id; null when the bytes are
   * no event: not exactly one JSON object within the limits that records have. Documents hold id, priority and source only.
   */
  match(bytes: Buffer, start: number, end: number): readonly RuleRevision[] | null;
  /** Why an event is none; for lines that `match` answered with null. */
  reason(bytes: Buffer, start: number, end: number): string;
}

export interface EngineOptions {
  readonly lists?: ReadonlyMap<string, NamedList>;
  /** What `now` means in rules, epoch ms. */
  readonly now: number;
}

/** Ready to match when it returns. Ids must be unique. */
export function createRuleEngine(
  rules: readonly RuleRevision[],
  { lists = new Map(), now }: EngineOptions,
): RuleEngine {
  const context: MatchContext = { now, lists };
  const matcher = createMatcher({ createScanner, hashText, seed: randomInt(2 ** 31) });
  const kept = rules.map((rule) => new KeptRule(rule));
  for (const rule of kept) matcher.put(rule as unknown as RuleRevision);
  // The first question builds the tables.
  for (const source of ['events', 'search-results'] as const)
    matcher.match({ source, fields: {}, search: null }, context);
  for (const rule of kept) rule.condition = released;
  return {
    size: matcher.size,
    match(bytes, start, end) {
      const found = matcher.matchBytes(bytes, start, end, context);
      if (found.verdict === 'ok') return found.rules;
      const parsed = parseJsonRange(bytes, start, end);
      if (!parsed.ok) return null;
      return matcher.match({ source: 'events', fields: parsed.value, search: null }, context);
    },
    reason(bytes, start, end) {
      const parsed = parseJsonRange(bytes, start, end);
      return parsed.ok ? '' : `${parsed.reason}: ${parsed.detail}`;
    },
  };
}

const released: Condition = { kind: 'any', of: [] };

/** A revision that is its own document: one small object per rule. */
class KeptRule {
  readonly id: string;
  readonly priority: number | undefined;
  readonly source: RuleSource | undefined;
  condition: Condition;

  constructor({ document, condition }: RuleRevision) {
    this.id = document.id;
    this.priority = document.priority;
    this.source = document.source;
    this.condition = condition;
  }

  get document(): this {
    return this;
  }
}
