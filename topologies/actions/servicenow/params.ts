// Parameters of the ServiceNow action as a type, and the checks that its JSON Schema cannot express.
import type { Issue } from '@tocsin/schemas/codecs/validate.ts';
import type { Connection } from '@tocsin/schemas/types.ts';
import {
  checkOperation,
  checkReserved,
  checkTicketTemplates,
  type FieldParams,
  operationOf,
} from '../../domain/action/ticket/params.ts';
import { checkTemplate } from '../../domain/templates/check.ts';

/** Parameters that are one field each -> name of the field. */
export const columns = {
  urgency: 'urgency',
  impact: 'impact',
  assignee: 'assigned_to',
  assignment_group: 'assignment_group',
} as const;

export type ColumnParam = keyof typeof columns;

export interface ServiceNowParams extends FieldParams, Readonly<Partial<Record<ColumnParam, string>>> {
  readonly table?: string;
  readonly comment_field?: 'work_notes' | 'comments';
  readonly input_display_value?: boolean;
}

/** What an update can set. */
const changes = ['summary', 'description', ...Object.keys(columns), 'fields'];

const marker = 'is how the action finds its record again';
const reserved: Readonly<Record<string, string>> = {
  short_description: 'has a parameter of its own: summary',
  description: 'has a parameter of its own: description',
  work_notes: 'would be added again by a repeat; use comment',
  comments: 'would be added again by a repeat; use comment',
  correlation_id: marker,
  correlation_display: marker,
  sys_id: 'is given by ServiceNow',
  number: 'is given by ServiceNow',
};

/** Issues of schema-valid parameters. */
export function checkServiceNow(params: ServiceNowParams): Issue[] {
  const names = Object.keys(columns) as ColumnParam[];
  return [
    ...checkOperation(params, changes),
    ...checkTicketTemplates(params, 'text'),
    ...checkReserved(params.fields, reserved),
    ...names.flatMap((name) => checkTemplate(params[name], 'none', `/${name}`)),
    ...(params.comment_field !== undefined && operationOf(params) === 'create' && params.dedupe === undefined
      ? [{ path: '/comment_field', message: 'needs a comment' }]
      : []),
  ];
}

export function checkServiceNowConnection(connection: Connection): Issue[] {
  if (connection.type !== 'http') return [{ path: '', message: 'needs an HTTP connection' }];
  const auth = connection.auth?.type ?? 'none';
  if (auth === 'basic' || auth === 'bearer' || auth === 'header') return [];
  return [
    { path: '', message: 'needs a connection with auth basic, bearer (OAuth) or header (x-sn-apikey)' },
  ];
}
