// Parameters of the e-mail action as a type, and the checks that its JSON Schema cannot express.
import type { Issue } from '@tocsin/schemas/codecs/validate.ts';
import { checkRecipients } from '../../domain/mail/recipients.ts';
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
