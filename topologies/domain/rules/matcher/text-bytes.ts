// The bytes of a text for comparison with those of rules.
//
// Invariant: two texts have equal bytes exactly when they are equal, for all that rules can contain: half a surrogate pair, which
// UTF-8 cannot say and no atom contains, becomes a byte that is in no UTF-8.
export function textBytes(text: string): Buffer {
  if (text.isWellFormed()) return Buffer.from(text);
  const parts: Buffer[] = [];
  for (const character of text)
    parts.push(character.isWellFormed() ? Buffer.from(character) : Buffer.of(0xff));
  return Buffer.concat(parts);
}
