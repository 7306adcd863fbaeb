// Parameters of the Jira action as a type, and the checks that its JSON Schema cannot express.
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

export interface JiraParams extends FieldParams {
  readonly api?: 'cloud' | 'data-center';
  readonly project?: string;
  readonly issue_type?: string;
  readonly labels?: readonly string[];
  readonly priority?: string;
  readonly assignee?: string;
}

/** What an update can set. */
const changes = ['summary', 'description', 'labels', 'priority', 'assignee', 'fields'];

export const projectPattern = /^(?:[A-Z][A-Z0-9_]{1,254}|[0-9]{1,18})$/;

const reserved = Object.fromEntries(
  ['project', 'issuetype', 'summary', 'description', 'labels'].map((name) => [
    name,
    `has a parameter of its own: ${name === 'issuetype' ? 'issue_type' : name}`,
  ]),
);

/** Issues of schema-valid parameters. */
export function checkJira(params: JiraParams): Issue[] {
  const issues = [
    ...checkOperation(params, changes),
    ...checkTicketTemplates(params, 'markdown'),
    ...checkReserved(params.fields, reserved),
    ...checkTemplate(params.project, 'none', '/project'),
    ...checkTemplate(params.issue_type, 'none', '/issue_type'),
    ...checkTemplate(params.priority, 'none', '/priority'),
    ...checkTemplate(params.assignee, 'none', '/assignee'),
    ...(params.labels ?? []).flatMap((label, index) => checkTemplate(label, 'none', `/labels/${index}`)),
  ];
  if (operationOf(params) === 'create') {
    if (params.project === undefined) issues.push({ path: '/project', message: 'is required for create' });
    else if (!params.project.includes('{{') && !projectPattern.test(params.project))
      issues.push({ path: '/project', message: 'must be the key or the id of a project' });
  } else {
    for (const name of ['project', 'issue_type'] as const)
      if (params[name] !== undefined) issues.push({ path: `/${name}`, message: 'is for create only' });
  }
  return issues;
}

export function checkJiraConnection(connection: Connection): Issue[] {
  if (connection.type !== 'http') return [{ path: '', message: 'needs an HTTP connection' }];
  const auth = connection.auth?.type ?? 'none';
  if (auth === 'basic' || auth === 'bearer') return [];
  return [
    {
      path: '',
      message:
        'needs a connection with auth basic (e-mail and API token, Cloud) or bearer (personal access token, Data Center)',
    },
  ];
}
