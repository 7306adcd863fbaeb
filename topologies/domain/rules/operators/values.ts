// Lists of values, as most operators take them: one value or several.
import { type Comparable, comparableValue } from '../comparison.ts';
import { fold } from '../fold.ts';
import { limits } from '../limits.ts';
import type { Part } from './operator.ts';

/** The entries of a list, or the value itself as the only one. null after an issue was reported. */
export function entriesOf(part: Part): Part[] | null {
  if (!Array.isArray(part.value)) return [part];
  if (part.value.length === 0) return part.refuse('an empty list never matches');
  if (part.value.length > limits.values)
    return part.refuse(`a list has at most ${limits.values} values; more belong into a named list (in_list)`);
  return part.value.map((value, index) => part.at(index, value));
}

/** One value or a list of them in comparable form. */
export function parseValues(part: Part): Comparable[] | null {
  const entries = entriesOf(part);
  if (entries === null) return null;
  const values = entries.map((entry) => {
    const value = comparableValue(entry.comparison, entry.value);
    return typeof value === 'object' ? entry.refuse(value.error) : value;
  });
  return values.includes(null) ? null : (values as Comparable[]);
}

/** One text or a list of them, folded, for operators that look inside a text. */
export function parseTexts(part: Part): string[] | null {
  if (part.comparison !== 'text') return part.refuse('this operator does not fit here');
  const entries = entriesOf(part);
  if (entries === null) return null;
  const texts = entries.map((entry) => {
    if (typeof entry.value !== 'string') return entry.refuse('must be a string');
    return entry.value === '' ? entry.refuse('an empty text is in every text') : fold(entry.value);
  });
  return texts.includes(null) ? null : (texts as string[]);
}
