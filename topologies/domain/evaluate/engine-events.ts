// The engine's own events (action.completed and so on) are input too, but only for rules that ask for them by name.
//
// A rule that matches everything would otherwise act on what its own actions report, and each of those would report
// again: two events a command, up to the hop limit.
import type { Rule } from '@tocsin/schemas/types.ts';

/** Does the rule name event types at its top level? Then it means those, whichever topic they come from. */
export function namesEventTypes(rule: Rule): boolean {
  return rule.when !== undefined && (Object.hasOwn(rule.when, 'events') || Object.hasOwn(rule.when, 'event'));
}
