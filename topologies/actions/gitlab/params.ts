// Parameters of the GitLab action as a type, and the checks that its JSON Schema cannot express.
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

export interface GitLabParams extends FieldParams {
  readonly project: string;
  readonly labels?: readonly string[];
  readonly severity?: string;
  readonly confidential?: boolean;
  readonly issue_type?: 'issue' | 'incident' | 'task';
  readonly assignee_ids?: readonly number[];
  readonly internal?: boolean;
}

/** What an update can set. */
const changes = ['summary', 'description', 'labels', 'severity', 'confidential', 'assignee_ids', 'fields'];

/** An id, or a path of at least a group and a project. */
export const projectPattern = /^(?:[0-9]{1,18}|(?!\.{1,2}\/)[\w.-]+(?:\/(?!\.{1,2}(?:\/|$))[\w.-]+){1,20})$/;

const reserved: Readonly<Record<string, string>> = {
  title: 'has a parameter of its own: summary',
  description: 'has a parameter of its own: description',
  labels: 'has a parameter of its own: labels',
  confidential: 'has a parameter of its own: confidential',
  issue_type: 'has a parameter of its own: issue_type',
  assignee_ids: 'has a parameter of its own: assignee_ids',
  state_event: 'has a parameter of its own: transition',
};

/** Issues of schema-valid parameters. */
export function checkGitLab(params: GitLabParams): Issue[] {
  const { project, transition } = params;
  const literal = (text: string | undefined): text is string => text !== undefined && !text.includes('{{');
  return [
    ...checkOperation(params, changes),
    ...checkTicketTemplates(params, 'markdown'),
    ...checkReserved(params.fields, reserved),
    ...checkTemplate(project, 'none', '/project'),
    ...checkTemplate(params.severity, 'none', '/severity'),
    ...(params.labels ?? []).flatMap((label, index) => checkTemplate(label, 'none', `/labels/${index}`)),
    ...(literal(project) && !projectPattern.test(project)
      ? [{ path: '/project', message: 'must be the id or the path of a project' }]
      : []),
    ...(literal(transition) && stateEvent(transition) === null
      ? [{ path: '/transition', message: 'must be close or reopen' }]
      : []),
    ...(params.issue_type !== undefined && operationOf(params) !== 'create'
      ? [{ path: '/issue_type', message: 'is for create only' }]
      : []),
  ];
}

/** Value of state_event; null when it is none. */
export function stateEvent(text: string): 'close' | 'reopen' | null {
  const word = text.trim().toLowerCase();
  if (word === 'close' || word === 'closed') return 'close';
  return word === 'reopen' || word === 'opened' ? 'reopen' : null;
}

export function checkGitLabConnection(connection: Connection): Issue[] {
  if (connection.type !== 'http') return [{ path: '', message: 'needs an HTTP connection' }];
  const auth = connection.auth?.type ?? 'none';
  if (auth === 'bearer' || auth === 'header') return [];
  return [{ path: '', message: 'needs a connection with auth header (PRIVATE-TOKEN) or bearer' }];
}
