// Additional mail headers: which names are allowed, before and after their tokens are filled in.
//
// Surprise: mail libraries drop spaces, controls and colons from names, so that `Sub ject` would become `Subject` and
// `Bcc:` an envelope recipient. Such names are refused instead of being cleaned.

import type { Issue } from '@tocsin/schemas/codecs/validate.ts';
import { failed } from '../../domain/action/fail.ts';
import type { Failed } from '../../domain/action/outcome.ts';
import { refusedHeaderValue } from '../../domain/formats/header-value.ts';
import { checkTemplate } from '../../domain/templates/check.ts';
import type { Views } from '../../domain/templates/lookup.ts';
import { renderText, warningsOf } from '../../domain/templates/render.ts';

export interface HeaderParam {
  readonly name: string;
  readonly values: readonly string[];
}

/** Names that the system itself sets, or that would change who gets the mail or how it is read. */
const reserved: ReadonlySet<string> = new Set([
  'return-path',
  'received',
  'resent-date',
  'resent-from',
  'resent-sender',
  'resent-to',
  'resent-cc',
  'resent-bcc',
  'resent-message-id',
  'date',
  'from',
  'sender',
  'reply-to',
  'to',
  'message-id',
  'in-reply-t',
  'in-reply-to',
  'references',
  'subject',
  'errors-to',
  'mime-version',
  'content-type',
  'content-transfer-encoding',
  'content-md5',
  'content-length',
  'received-spf',
  'cc',
  'bcc',
  'content-disposition',
  'content-id',
  'dkim-signature',
  'domainkey-signature',
  'authentication-results',
  'disposition-notification-to',
  'disposition-notification-options',
  'return-receipt-to',
  'auto-submitted',
  'apparently-to',
]);
const reservedPrefixes = ['resent-', 'arc-', 'list-', 'content-', 'received-', 'x-envelope-'] as const;

const valueMaxLength = 900;

/** Why a complete header name is refused; null when it is allowed. */
export function refusedName(name: string): string | null {
  // What is left when a library strips what no name may have (RFC 5322 section 2.2), and the name as it stands.
  const stripped = name.replace(/[^\x21-\x39\x3b-\x7e]/g, '').toLowerCase();
  if (reserved.has(stripped) || reservedPrefixes.some((prefix) => stripped.startsWith(prefix)))
    return `the header ${printable(name)} is reserved`;
  if (!/^[A-Za-z0-9][A-Za-z0-9_-]{0,75}$/.test(name)) return `${printable(name)} is not a header name`;
  return null;
}

function printable(name: string): string {
  return JSON.stringify(name.slice(0, 80));
}

/** Issues of the configured headers; names with tokens are checked again when they are filled in. */
export function checkHeaders(headers: readonly HeaderParam[]): Issue[] {
  const issues: Issue[] = [];
  for (const [index, { name, values }] of headers.entries()) {
    const at = `/headers/${index}`;
    if (name.includes('{{')) issues.push(...checkTemplate(name, 'header', `${at}/name`));
    else {
      const refused = refusedName(name);
      if (refused !== null) issues.push({ path: `${at}/name`, message: refused });
    }
    for (const [place, value] of values.entries()) {
      const unfit = refusedHeaderValue(value);
      if (unfit !== null) issues.push({ path: `${at}/values/${place}`, message: unfit });
      issues.push(...checkTemplate(value, 'header', `${at}/values/${place}`));
    }
  }
  return issues;
}

export interface RenderedHeaders {
  readonly lines: readonly (readonly [string, string])[];
  readonly warnings: readonly string[];
}

/** One line for every value. An empty value is left out and said. Throws TemplateError. */
export function renderHeaders(headers: readonly HeaderParam[], views: Views): RenderedHeaders | Failed {
  const lines: [string, string][] = [];
  const warnings: string[] = [];
  for (const header of headers) {
    // Tokens go in as they are, so that a name made of them is judged and not repaired.
    const name = header.name.includes('{{') ? renderText(header.name, views, 'none').text : header.name;
    const refused = refusedName(name);
    if (refused !== null) return failed('reserved_header', refused);
    for (const value of header.values) {
      const rendered = renderText(value, views, 'header');
      const text = rendered.text.trim();
      warnings.push(...warningsOf(`header ${name}`, rendered));
      if (text.length > valueMaxLength)
        return failed('invalid_params', `header ${name} is longer than ${valueMaxLength} characters`);
      if (text === '') warnings.push(`header ${name}: an empty value was left out`);
      else lines.push([name, text]);
    }
  }
  return { lines, warnings };
}
