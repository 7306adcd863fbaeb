// Who gets a message: templates filled in, each one plain mailbox in an allowed domain, duplicates dropped.
import type { Issue } from '@tocsin/schemas/codecs/validate.ts';
import { failed } from '../action/fail.ts';
import type { Failed } from '../action/outcome.ts';
import { parseDomain, parseMailbox } from '../formats/mailbox.ts';
import { checkTemplate } from '../templates/check.ts';
import type { Views } from '../templates/lookup.ts';
import { renderText, warningsOf } from '../templates/render.ts';

/** Recipients of one message (RFC 5321 section 4.5.3.1.8: a server must take 100). */
export const recipientLimit = 100;

/** JSON Schema of the parameter `to`. */
export function recipientsSchema(description: string): object {
  return {
    description,
    oneOf: [
      { type: 'string', minLength: 1, maxLength: 33_000 },
      {
        type: 'array',
        minItems: 1,
        maxItems: recipientLimit,
        items: { type: 'string', minLength: 1, maxLength: 1024 },
      },
    ],
  };
}

/** The configured recipients, one template each. Commas part a text before tokens are filled in, never after. */
export function recipientTemplates(to: string | readonly string[]): string[] {
  const items = typeof to === 'string' ? to.split(',') : [...to];
  return items.map((item) => item.trim()).filter((item) => item !== '');
}

/** Issues of the parameter `to`. */
export function checkRecipients(to: string | readonly string[]): Issue[] {
  const items = recipientTemplates(to);
  if (items.length === 0) return [{ path: '/to', message: 'names no recipient' }];
  if (items.length > recipientLimit)
    return [{ path: '/to', message: `names more than ${recipientLimit} recipients` }];
  return items.flatMap((item, index) => {
    const path = typeof to === 'string' ? '/to' : `/to/${index}`;
    if (!item.includes('{{'))
      return parseMailbox(item) === null
        ? [{ path, message: `${quote(item)} is not one plain mail address` }]
        : [];
    return checkTemplate(item, 'header', path);
  });
}

function quote(text: string): string {
  return JSON.stringify(text.length > 80 ? `${text.slice(0, 80)}...` : text);
}

export interface Recipients {
  readonly addresses: readonly string[];
  readonly warnings: readonly string[];
}

/** Addresses of the templates over `views`. A template that renders empty names nobody. Throws TemplateError. */
export function renderRecipients(
  templates: readonly string[],
  views: Views,
  allowedDomains: readonly string[] | undefined,
): Recipients | Failed {
  const addresses = new Map<string, string>();
  const warnings: string[] = [];
  const allowed = allowedDomains?.map((domain) => parseDomain(domain));
  for (const template of templates) {
    // Nothing is escaped or repaired: a value that is not a mailbox is refused as a whole.
    const rendered = renderText(template, views, 'none');
    warnings.push(...warningsOf('to', rendered));
    const text = rendered.text.trim();
    if (text === '') continue;
    const address = parseMailbox(text);
    if (address === null) return failed('invalid_recipient', `${quote(text)} is not one plain mail address`);
    const domain = address.slice(address.indexOf('@') + 1);
    if (allowed !== undefined && !allowed.includes(domain))
      return failed(
        'invalid_recipient',
        `${quote(address)} is outside the allowed domains of the connection`,
      );
    if (!addresses.has(address.toLowerCase())) addresses.set(address.toLowerCase(), address);
  }
  if (addresses.size > recipientLimit)
    return failed('invalid_recipient', `${addresses.size} recipients are more than ${recipientLimit}`);
  return { addresses: [...addresses.values()], warnings };
}
