// Severity of PagerDuty from the words of findings.
//
// Source: developer.pagerduty.com/docs/events-api-v2/trigger-events, payload.severity: critical, error, warning or info.
import { severityRank } from '../../domain/rules/severity.ts';

/** From the lowest to the highest. */
export const levels = ['info', 'warning', 'error', 'critical'] as const;

export type Level = (typeof levels)[number];

// informational, low, medium, high, critical.
const byRank: readonly Level[] = ['info', 'info', 'warning', 'error', 'critical'];

/** The level of a word in any case; null when it is no severity. `own` outranks the built-in mapping. */
export function levelOf(word: string, own: Readonly<Record<string, Level>> = {}): Level | null {
  const text = word.trim().toLowerCase();
  if (Object.hasOwn(own, text)) return own[text] as Level;
  const rank = severityRank(text);
  if (rank !== undefined) return byRank[rank] as Level;
  return levels.find((level) => level === text) ?? null;
}
