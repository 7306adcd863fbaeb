// The permanent check of the matcher: of a sample of events, some rules are asked again by the reference evaluator, which
// shares no code with the matcher. A difference is a defect, and is counted, said and alarmed.
//
// Invariant: the cost of one check is bounded whatever the number of rules: those that matched, up to a limit, and the next few
// in turn, so that every rule gets its turn.
import type { Rule, ValueList } from '@tocsin/schemas/types.ts';
import type { MatchContext } from '../domain/rules/context.ts';
import type { RuleRevision } from '../domain/rules/parse-rule.ts';
import type { Logger } from '../ports/logger.ts';
import type { MetricsPort } from '../ports/metrics.ts';

/** The reference evaluator: reads the rule document itself. */
export type Reference = (
  rule: Rule,
  input: { readonly fields: Record<string, unknown> },
  context: { readonly now: number; readonly lists: ReadonlyMap<string, ValueList> },
) => boolean;

export interface MatchCheckOptions {
  readonly reference: Reference;
  /** Rules in force over events. */
  readonly rules: () => ReadonlyMap<string, RuleRevision>;
  /** Documents of the named lists. */
  readonly lists: () => ReadonlyMap<string, ValueList>;
  /** One event of so many is checked. */
  readonly every: number;
  readonly metrics: MetricsPort;
  readonly logger: Logger;
}

export interface MatchCheck {
  /** Counts an event; true when it is one of the sample. */
  due(): boolean;
  /** Asks again. `matched`: what the matcher found; `place`: topic/partition/offset. */
  check(
    event: Record<string, unknown>,
    matched: readonly RuleRevision[],
    context: MatchContext,
    place: string,
  ): void;
}

/** Rules in turn, and matched rules, that one check asks. */
const inTurn = 16;
const ofMatched = 16;

export function createMatchCheck(options: MatchCheckOptions): MatchCheck {
  const { reference, every, metrics, logger } = options;
  let events = 0;
  let turn = options.rules().values();

  function next(): RuleRevision | null {
    const step = turn.next();
    if (!step.done) return step.value;
    turn = options.rules().values();
    return turn.next().value ?? null;
  }

  return {
    due() {
      events += 1;
      return events % every === 0;
    },
    check(event, matched, context, place) {
      const found = new Set(matched.map(({ document }) => document.id));
      const asked = new Map(matched.slice(0, ofMatched).map((rule) => [rule.document.id, rule]));
      for (let k = Math.min(inTurn, options.rules().size); k > 0; k--) {
        const rule = next();
        if (rule !== null) asked.set(rule.document.id, rule);
      }
      const lists = options.lists();
      for (const { document, revision } of asked.values()) {
        const expected = reference(document, { fields: event }, { now: context.now, lists });
        if (expected === found.has(document.id)) continue;
        metrics.count('tocsin_matcher_differences_total', { rule: document.id });
        logger.error('the matcher and the reference evaluator differ', {
          rule: document.id,
          revision,
          matcher: !expected,
          reference: expected,
          place,
        });
      }
      metrics.count('tocsin_matcher_checks_total', {}, asked.size);
    },
  };
}
