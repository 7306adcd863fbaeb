// What is kept of the output of a script: the beginning as text that is safe to store and show, and size and digest of the whole.
//
// Invariant: a kept text has at most `keptBytes` bytes, no control characters but tab and line feed, and no known secret; nor the
// beginning of one where the text was cut.
import type { Json } from '../action/outcome.ts';

/** UTF-8 bytes of one stream that results and history keep. */
export const keptBytes = 64 * 1024;

/** One stream. */
export interface Captured {
  /** The beginning. */
  readonly text: string;
  /** Of the whole stream. */
  readonly bytes: number;
  /** Hexadecimal, of the whole stream; null where nobody could tell it. */
  readonly sha256: string | null;
  /** More than the text came. */
  readonly truncated: boolean;
}

export const nothingCaptured: Captured = {
  text: '',
  bytes: 0,
  // Of no bytes at all: FIPS 180-4.
  sha256: 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855',
  truncated: false,
};

/** The stream as it may be kept; `scrub` takes known secrets out of a text, `secrets` are those that a cut may have parted. */
export function keptOutput(
  captured: Captured,
  scrub: (text: string) => string,
  secrets: readonly string[],
  most = keptBytes,
): Captured {
  const scrubbed = scrub(captured.text);
  const whole = captured.truncated ? withoutBeginning(scrubbed, secrets) : scrubbed;
  const text = cutText(cleanText(whole), most);
  return { ...captured, text, truncated: captured.truncated || text.length < cleanText(whole).length };
}

/** Without the beginning of a secret that the cut left at the end; a few characters of it tell nothing. */
function withoutBeginning(text: string, secrets: readonly string[]): string {
  let end = text.length;
  for (const secret of secrets)
    for (let length = Math.min(secret.length - 1, text.length); length >= 4; length -= 1)
      if (text.endsWith(secret.slice(0, length))) {
        end = Math.min(end, text.length - length);
        break;
      }
  return text.slice(0, end);
}

/** Line feeds and tabs stay; other controls would be acted upon by a terminal, and take six characters each in JSON. */
function cleanText(text: string): string {
  return (
    text
      .replace(/\r\n?/g, '\n')
      // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is replaced
      .replace(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/g, '\ufffd')
      .toWellFormed()
  );
}

/** At most so many UTF-8 bytes; no character is halved. */
export function cutText(text: string, most: number): string {
  const bytes = Buffer.from(text);
  if (bytes.length <= most) return text;
  let end = most;
  // A byte 10xxxxxx goes on with a character that began before it (RFC 3629).
  while (end > 0 && ((bytes[end] as number) & 0xc0) === 0x80) end -= 1;
  return bytes.subarray(0, end).toString();
}

/** Members of a result that tell of both streams. */
export function outputFields(stdout: Captured, stderr: Captured): { readonly [name: string]: Json } {
  return {
    stdout: stdout.text,
    stdout_bytes: stdout.bytes,
    stdout_sha256: stdout.sha256,
    truncated: stdout.truncated,
    stderr: stderr.text,
    stderr_bytes: stderr.bytes,
    stderr_sha256: stderr.sha256,
    stderr_truncated: stderr.truncated,
  };
}
