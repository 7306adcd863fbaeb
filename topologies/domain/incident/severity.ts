// The severity of an incident: one name of a list that the author of the action chose.
import { severityRank } from '../rules/severity.ts';

export const defaultSeverities = ['Critical', 'High', 'Medium', 'Low', 'Informational'] as const;

/** The name of `names` that `text` means: the same word in any case, or a word of the same rank. Null when it means none. */
export function severityNamed(text: string, names: readonly string[]): string | null {
  const word = text.trim().toLowerCase();
  const same = names.find((name) => name.toLowerCase() === word);
  if (same !== undefined) return same;
  const rank = severityRank(word);
  return rank === undefined ? null : (names.find((name) => severityRank(name) === rank) ?? null);
}
