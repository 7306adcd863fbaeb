// One mail address as this system accepts it: a plain dot-atom mailbox at a host name. Everything else is refused
// before any address parser sees it (no display names, quotes, comments, routes, groups, lists; CVE-2025-14874).
import { domainToASCII } from 'node:url';

/** Bytes of a mailbox (RFC 5321 section 4.5.3.1: 64 + 1 + 255). */
export const mailboxMaxBytes = 320;

// RFC 5322 section 3.2.3, ASCII only.
const dotAtom = /^[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*$/;
const label = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/;

/** The mailbox with its domain in lower-case ASCII (IDNA); null when the text is not exactly one plain mailbox. */
export function parseMailbox(text: string): string | null {
  if (Buffer.byteLength(text) > mailboxMaxBytes) return null;
  const at = text.indexOf('@');
  if (at < 1 || at > 64) return null;
  const local = text.slice(0, at);
  const domain = parseDomain(text.slice(at + 1));
  return domain === null || !dotAtom.test(local) ? null : `${local}@${domain}`;
}

/** A host name in lower-case ASCII; null for addresses, empty labels and anything else. */
export function parseDomain(text: string): string | null {
  if (!/^[\p{L}\p{M}\p{N}.-]{1,253}$/u.test(text)) return null;
  const ascii = (/^[\x21-\x7e]+$/.test(text) ? text : domainToASCII(text)).toLowerCase();
  const labels = ascii.split('.');
  if (ascii.length > 253 || !labels.every((part) => label.test(part))) return null;
  return /^\d+$/.test(labels.at(-1) as string) ? null : ascii;
}

/** `Name <a@b.example>` or a plain mailbox, as an administrator writes a sender. */
export function parseSender(text: string): { readonly address: string; readonly header: string } | null {
  const named = /^([^<>"\\\r\n]{0,200})<([^<>\s]{3,320})>$/.exec(text.trim());
  if (named === null) {
    const address = parseMailbox(text.trim());
    return address === null ? null : { address, header: address };
  }
  const address = parseMailbox(named[2] as string);
  const name = (named[1] as string).trim();
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is refused
  if (address === null || /[\u0000-\u001f\u007f,;:@()[\]]/.test(name)) return null;
  return { address, header: name === '' ? address : `"${name}" <${address}>` };
}
