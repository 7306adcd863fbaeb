// Severity as an ordinal scale: informational < low < medium < high < critical.
//
// Invariant: a severity is read from words only, never derived from a CVSS score. An unknown word has no rank and
// therefore fits no comparison; whoever reads events reports it.

/** The scale from lowest to highest; the index is the rank. */
export const severities = ['informational', 'low', 'medium', 'high', 'critical'] as const;

export type Severity = (typeof severities)[number];

/** Words of other products for the same ranks: Red Hat and Microsoft say moderate and important. */
const synonyms: ReadonlyMap<string, Severity> = new Map([
  ['info', 'informational'],
  ['information', 'informational'],
  ['none', 'informational'],
  ['moderate', 'medium'],
  ['important', 'high'],
]);

/** Rank from 0 (informational) to 4 (critical) of a word in any case, spaces around it ignored; undefined when unknown. */
export function severityRank(value: unknown): number | undefined {
  if (typeof value !== 'string') return undefined;
  const word = value.trim().toLowerCase();
  const rank = severities.indexOf((synonyms.get(word) ?? word) as Severity);
  return rank === -1 ? undefined : rank;
}
