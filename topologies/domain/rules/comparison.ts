// The kinds of comparison: how a value of a rule and an element of the data become things that can be equal.
//
// Invariant: a type never turns into another: the text "9.8" is not the number 9.8 and "true" is not true.
import { fold } from './fold.ts';
import { severities, severityRank } from './severity.ts';

export type Comparable = string | number | boolean;

/**
 * text: strings in any case; numbers and booleans as they are. exact: strings as they are.
 * severity: ranks of the scale. identifier: CVE, CWE, GHSA and template ids, upper case without spaces around them.
 */
export type Comparison = 'text' | 'exact' | 'severity' | 'identifier';

/** Element of the data in comparable form; undefined fits nothing. */
export const comparableElement: Record<Comparison, (element: unknown) => Comparable | undefined> = {
  text: (element) => (typeof element === 'string' ? fold(element) : plain(element)),
  exact: (element) => (typeof element === 'string' ? element : plain(element)),
  severity: severityRank,
  identifier: (element) => (typeof element === 'string' ? element.trim().toUpperCase() : undefined),
};

function plain(element: unknown): Comparable | undefined {
  return typeof element === 'number' || typeof element === 'boolean' ? element : undefined;
}

/** Value of a rule in comparable form, or why it is none. */
export function comparableValue(
  comparison: Comparison,
  value: unknown,
): Comparable | { readonly error: string } {
  if (typeof value === 'number' && !Number.isFinite(value)) return { error: 'must be a finite number' };
  if (comparison === 'severity')
    return severityRank(value) ?? { error: `must be a severity: ${severities.join(', ')}` };
  if (comparison === 'identifier') {
    if (typeof value !== 'string' || value.trim() === '')
      return { error: 'must be an identifier such as CVE-2024-3094 or CWE-89' };
    if (value.includes('*'))
      return { error: 'a wildcard is no identifier; ask a path such as data.cve with wildcard' };
  }
  return comparableElement[comparison](value) ?? { error: 'must be a string, a number or a boolean' };
}
