// Who gets a message: templates filled in, each one plain mailbox in an allowed domain, duplicates dropped.
import { failed } from '../../domain/action/fail.ts';
import type { Failed } from '../../domain/action/outcome.ts';
import { parseDomain, parseMailbox } from '../../domain/formats/mailbox.ts';
import type { Views } from '../../domain/templates/lookup.ts';
import { renderText, warningsOf } from '../../domain/templates/render.ts';
import { quote, recipientLimit } from './params.ts';

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
