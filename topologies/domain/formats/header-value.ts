// Values of HTTP and mail headers that people configure.
//
// Invariant: no value can end its line and begin another header (RFC 9110 section 5.5, RFC 5322 section 2.2).

/** Why the value cannot be configured; null when it can. A tab is allowed. */
export function refusedHeaderValue(value: string): string | null {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is refused
  return /[\u0000-\u0008\u000a-\u001f\u007f]/.test(value)
    ? 'holds a line break or another control character'
    : null;
}
