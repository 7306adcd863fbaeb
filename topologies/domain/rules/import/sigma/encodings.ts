// The encodings that Sigma applies to a value before it is looked for: UTF-16, Base64 with and without offsets, and the
// dashes that Windows programs take for each other.
//
// Source: Sigma modifiers appendix, "String Modifiers" and "Encoding".

export type Utf16 = 'utf16le' | 'utf16be' | 'utf16';

/** Bytes of the text in UTF-16; `utf16` has a byte order mark FF FE in front. */
export function encodeUtf16(text: string, kind: Utf16): Uint8Array {
  const mark = kind === 'utf16' ? '\ufeff' : '';
  const bytes = Buffer.from(mark + text, 'utf16le');
  return kind === 'utf16be' ? bytes.swap16() : bytes;
}

export function encodeBase64(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('base64');
}

/**
 * What stays the same of the value's Base64 form at each of the three places it can have within a group of three bytes:
 * the characters that also depend on bytes before or after are cut off.
 */
export function encodeBase64Offsets(bytes: Uint8Array): string[] {
  return [0, 1, 2].map((shift) => {
    const encoded = encodeBase64(Buffer.concat([Buffer.alloc(shift, ' '), bytes]));
    const start = [0, 2, 3][shift] as number;
    const end = [undefined, -3, -2][(bytes.length + shift) % 3];
    return encoded.slice(start, end);
  });
}

const dashes = ['-', '/', '–', '—', '―'];
/** A dash or slash that begins an option: no word character before it, one after it. */
const optionDash = /(?<![\p{L}\p{N}_])[-/](?=[\p{L}\p{N}_])/gu;

/** How many dashes of a value are varied; each multiplies the forms by five. */
export const maxVariedDashes = 3;

/** Where the dashes and slashes stand that begin an option. */
export function optionDashes(text: string): number[] {
  return [...text.matchAll(optionDash)].map(({ index }) => index);
}

/** Every form of the text with its option dashes replaced. */
export function varyDashes(text: string): string[] {
  return optionDashes(text).reduce(
    (forms, place) =>
      forms.flatMap((form) => dashes.map((dash) => form.slice(0, place) + dash + form.slice(place + 1))),
    [text],
  );
}
