// Escapes of values per kind of output. A value can never change the structure around it.
//
// json is the one kind that depends on its place: inside quotes a value becomes escaped text, outside quotes it
// becomes a whole JSON value, so that `{"cvss": {{cvss}}}` keeps numbers and `{"a": {{title}}}` stays valid.

/** Where rendered text goes. */
export type Escape = 'html' | 'json' | 'header' | 'url' | 'text' | 'chat' | 'mrkdwn' | 'markdown' | 'none';

/** Text of a value as a person would write it: null is empty, short lists are joined, objects are JSON. */
export function textOf(value: unknown): string {
  if (value === null || value === undefined) return '';
  if (typeof value === 'string') return value;
  if (typeof value === 'object') {
    if (Array.isArray(value) && value.every((item) => item === null || typeof item !== 'object'))
      return value.map(textOf).join(', ');
    return JSON.stringify(value) ?? '';
  }
  return String(value);
}

const htmlEntities: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
  '`': '&#96;',
  '=': '&#61;',
};

export function escapeHtml(text: string): string {
  return dropControls(text).replace(/[&<>"'`=]/g, (char) => htmlEntities[char] as string);
}

/** The inside of a JSON string (RFC 8259 section 7), also safe in JavaScript source. */
export function escapeJsonString(text: string): string {
  return jsonText(text).slice(1, -1);
}

/** JSON text of any value; undefined and functions become null. */
export function jsonText(value: unknown): string {
  return (JSON.stringify(value) ?? 'null').replace(/[\u2028\u2029]/g, (char) =>
    char === '\u2028' ? '\\u2028' : '\\u2029',
  );
}

/** One line: line breaks of every kind, tabs and other controls become one space. */
export function escapeHeader(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is replaced
  return text.replace(/[\u0000-\u001f\u007f-\u009f\u2028\u2029]+/g, ' ').toWellFormed();
}

/** One component of a URL: everything but RFC 3986's unreserved characters is percent-encoded as UTF-8. */
export function escapeUrl(text: string): string {
  return encodeURIComponent(text.toWellFormed()).replace(
    /[!'()*]/g,
    (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}

/** Plain text for people: line feeds and tabs stay, terminal escapes and other controls go. */
export function escapeText(text: string): string {
  return dropControls(text.replace(/\r\n?/g, '\n'));
}

function dropControls(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is dropped
  return text.replace(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/g, '').toWellFormed();
}

/** Knows, character by character of the literal text, whether a JSON document is inside a string. */
export class JsonPlace {
  #inString = false;
  #escaped = false;

  literal(text: string): void {
    for (let at = 0; at < text.length; at += 1) {
      const char = text.charCodeAt(at);
      if (this.#escaped) this.#escaped = false;
      else if (char === 0x5c && this.#inString) this.#escaped = true;
      else if (char === 0x22) this.#inString = !this.#inString;
    }
  }

  value(value: unknown): string {
    // A backslash of the template must not swallow the first character of the value.
    if (this.#escaped) return '';
    return this.#inString ? escapeJsonString(textOf(value)) : jsonText(value);
  }
}
