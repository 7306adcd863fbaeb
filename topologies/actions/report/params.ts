// Parameters of the report action as a type, and the checks that its JSON Schema cannot express.
import type { Issue } from '@tocsin/schemas/codecs/validate.ts';
import { checkRecipients } from '../../domain/mail/recipients.ts';
import { checkTemplate } from '../../domain/templates/check.ts';

export type Format = 'html' | 'csv' | 'json';
export type Delivery = 'store' | 'mail';

export interface ReportParams {
  readonly title?: string;
  readonly format?: Format | readonly Format[];
  readonly deliver?: Delivery | readonly Delivery[];
  readonly file_name?: string;
  readonly to?: string | readonly string[];
  readonly subject?: string;
  readonly attach?: boolean;
  readonly inline?: boolean;
}

/** The formats, each once, in the order in which files are made. */
export function formatsOf({ format = 'html' }: ReportParams): readonly Format[] {
  return typeof format === 'string' ? [format] : format;
}

export function delivers({ deliver = 'store' }: ReportParams, way: Delivery): boolean {
  return typeof deliver === 'string' ? deliver === way : deliver.includes(way);
}

/** Issues of schema-valid parameters. */
export function checkReport(params: ReportParams): Issue[] {
  const mail = delivers(params, 'mail');
  const unused = (['to', 'subject', 'attach', 'inline'] as const).filter(
    (name) => params[name] !== undefined,
  );
  const { attach = true, inline = false } = params;
  return [
    ...checkTemplate(params.title, 'header', '/title'),
    ...checkTemplate(params.file_name, 'header', '/file_name'),
    ...checkTemplate(params.subject, 'header', '/subject'),
    ...(params.to === undefined ? [] : checkRecipients(params.to)),
    ...(mail && params.to === undefined ? [{ path: '/to', message: 'is required to mail the report' }] : []),
    ...(mail ? [] : unused.map((name) => ({ path: `/${name}`, message: 'is for deliver: mail' }))),
    ...(inline && !formatsOf(params).includes('html')
      ? [{ path: '/inline', message: 'needs the format html' }]
      : []),
    ...(mail && !attach && !inline
      ? [{ path: '/attach', message: 'the report would be neither attached nor inline' }]
      : []),
  ];
}
