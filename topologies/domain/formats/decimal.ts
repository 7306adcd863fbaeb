// Numbers as people and events write them.

/** A finite number, or the decimal text of one; null for anything else: no exponents, no comma, no spaces inside. */
export function decimalOf(value: unknown): number | null {
  if (typeof value === 'number') return Number.isFinite(value) ? value : null;
  if (typeof value !== 'string' || !/^\s*[+-]?\d{1,15}(?:\.\d{1,15})?\s*$/.test(value)) return null;
  return Number(value);
}
