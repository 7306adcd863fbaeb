// Checked rules and the bytes of events: which rules match, with the code that the evaluator runs.
import { parseJsonRange } from '@tocsin/schemas/codecs/json.ts';
import { compileRules } from '@tocsin/topologies/domain/rules/compile.ts';
import type { RuleRevision } from '@tocsin/topologies/domain/rules/parse-rule.ts';

export interface RuleEngine {
  readonly size: number;
  /**
   * The rules that hold for the event in `bytes[start, end)`, higher priority first, then by id; null when the bytes are
   * no event: not exactly one JSON object within the limits of docs/rules.md.
   */
  match(bytes: Buffer, start: number, end: number): readonly RuleRevision[] | null;
  /** Why an event is none; for lines that `match` answered with null. */
  reason(bytes: Buffer, start: number, end: number): string;
}

/** Ready to match when it returns. Ids must be unique. */
export function createRuleEngine(rules: readonly RuleRevision[]): RuleEngine {
  const ruleSet = compileRules(rules);
  return {
    size: ruleSet.size,
    match(bytes, start, end) {
      const parsed = parseJsonRange(bytes, start, end);
      return parsed.ok ? ruleSet.match({ source: 'events', fields: parsed.value, search: null }) : null;
    },
    reason(bytes, start, end) {
      const parsed = parseJsonRange(bytes, start, end);
      return parsed.ok ? '' : `${parsed.reason}: ${parsed.detail}`;
    },
  };
}
