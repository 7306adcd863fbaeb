// Parameters of the e-mail action as a type, and the checks that its JSON Schema cannot express.
import type { Issue } from '@tocsin/schemas/codecs/validate.ts';
import { parseMailbox } from '../../domain/formats/mailbox.ts';
import { checkTemplate } from '../../domain/templates/check.ts';
import { checkHeaders, type HeaderParam } from './headers.ts';

export interface EmailParams {
  readonly to: string | readonly string[];
  readonly subject: string;
  readonly body?: string;
  readonly html?: boolean;
  readonly sign?: string;
  readonly enable_time?: boolean;
  readonly enable_table?: boolean;
  readonly send_file?: boolean;
  readonly file_name?: string;
  readonly file_type?: 'csv' | 'json';
  readonly merge?: boolean;
  readonly is_once?: boolean;
  readonly headers?: readonly HeaderParam[];
}

/** Recipients of one message (RFC 5321 section 4.5.3.1.8: a server must take 100). */
export const recipientLimit = 100;

/** The configured recipients, one template each. Commas part a text before tokens are filled in, never after. */
export function recipientTemplates(to: EmailParams['to']): string[] {
  const items = typeof to === 'string' ? to.split(',') : [...to];
  return items.map((item) => item.trim()).filter((item) => item !== '');
}

/** Issues of schema-valid parameters. */
export function checkEmail(params: EmailParams): Issue[] {
  const kind = params.html === true ? 'html' : 'text';
  return [
    ...checkRecipients(params.to),
    ...checkTemplate(params.subject, 'header', '/subject'),
    ...checkTemplate(params.body, kind, '/body'),
    ...checkTemplate(params.sign, kind, '/sign'),
    ...checkTemplate(params.file_name, 'header', '/file_name'),
    ...checkHeaders(params.headers ?? []),
  ];
}

function checkRecipients(to: EmailParams['to']): Issue[] {
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

export function quote(text: string): string {
  return JSON.stringify(text.length > 80 ? `${text.slice(0, 80)}...` : text);
}
