// Case folding of text comparisons.
//
// Invariant: fold(a + b) === fold(a) + fold(b), so that prefix, suffix and contains agree with equality. toLowerCase
// alone breaks it: it writes a capital sigma at the end of a word as 'ς' and elsewhere as 'σ' (Unicode SpecialCasing,
// Final_Sigma, its only rule that depends on context and not on language). No Unicode normalisation: 'é' written as one
// code point and as two are different texts.

/** Lower case of every code point, both small sigmas as one. */
export function fold(text: string): string {
  return text.toLowerCase().replaceAll('ς', 'σ');
}
