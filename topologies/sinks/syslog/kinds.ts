// What a value has to look like to stand under a key of some kind; text in, text out.
import { isIP } from 'node:net';
import type { CefKind } from '../../domain/formats/cef-keys.ts';
import { epochMsOf } from '../../domain/sink/event-time.ts';

/** The value as it is written, before escapes, or null when it is not of that kind; empty values never are. */
export function fittingText(kind: CefKind, text: string, max: number): string | null {
  if (text === '') return null;
  switch (kind) {
    case 'text':
      return text;
    case 'id':
      return text.length <= max ? text : null;
    case 'ipv4':
      return isIP(text) === 4 ? text : null;
    case 'ipv6':
      // A zone (fe80::1%eth0) means nothing to anybody else.
      return isIP(text) === 6 && !text.includes('%') ? text : null;
    case 'host':
      return isIP(text) === 0 ? text : null;
    case 'integer':
      return /^-?\d{1,18}$/.test(text) ? text : null;
    case 'number':
      return /^-?\d{1,17}(\.\d{1,17})?$/.test(text) ? text : null;
    case 'time':
      return epochText(text);
  }
}

function epochText(text: string): string | null {
  if (/^\d{13}$/.test(text)) return text;
  const bytes = Buffer.from(text, 'latin1');
  const ms = epochMsOf(bytes, 0, bytes.length);
  return Number.isNaN(ms) ? null : String(ms);
}

/** Text of elements found at a path: scalars as they are, objects as JSON, several with commas; null without any. */
export function elementsText(elements: readonly unknown[] | null): string | null {
  if (elements === null) return null;
  const texts = elements
    .filter((element) => element !== null && element !== undefined)
    .map((element) => (typeof element === 'object' ? JSON.stringify(element) : String(element)));
  return texts.length === 0 ? null : texts.join(', ');
}

/** False for ASCII text that is certainly no value of that kind. */
export function mayBe(kind: CefKind, bytes: Buffer, from: number, to: number): boolean {
  if (kind === 'ipv4') return isDigit(bytes[from]!);
  return kind !== 'ipv6' || hasColon(bytes, from, to);
}

/** True for ASCII text that is certainly a host name: an IPv4 address ends in a digit, an IPv6 address has a colon. */
export function isName(kind: CefKind, bytes: Buffer, from: number, to: number): boolean {
  return kind === 'host' && to > from && !isDigit(bytes[to - 1]!) && !hasColon(bytes, from, to);
}

function isDigit(c: number): boolean {
  return c >= 0x30 && c <= 0x39;
}

function hasColon(bytes: Buffer, from: number, to: number): boolean {
  for (let k = from; k < to; k++) if (bytes[k] === 0x3a) return true;
  return false;
}
