// A property whose generator is judged as well: one that makes only one kind of case would prove nothing.
//
// Surprise: the judgement is about values of a fixed seed. About other values in every run it would fail now and then by chance.
import fc from 'fast-check';

/** Holds `property` over `numRuns` values of a fixed seed, then `judge` over what they were, then over as many other values. */
export function assertMixed(property: fc.IRawProperty<unknown>, numRuns: number, judge: () => void): void {
  fc.assert(property, { numRuns, seed: 1 });
  judge();
  fc.assert(property, { numRuns });
}
