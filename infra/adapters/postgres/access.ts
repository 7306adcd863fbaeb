// Who may do what: scopes `read:<resource>`, `write:<resource>`, `admin`, and `action:<type>` for using a privileged action type; a role is
// a named set of scopes, none of them of the last kind.
//
// Invariant: every write goes through `authorize` in the store as well as in the route, so that a second way in
// (import, command line) cannot lack the check.

import type { ActionGrant } from '@tocsin/topologies/domain/action/grants.ts';

export const resources = [
  'rules',
  'actions',
  'connections',
  'sinks',
  'lists',
  'playbooks',
  'secrets',
  'executions',
  'types',
  'lag',
  'runs',
  'approvals',
  'approval-links',
  'audit',
  'incidents',
  'risk',
  'mitre',
  'events',
  'dead-letters',
  'webhooks',
] as const;
export type Resource = (typeof resources)[number];
export type Verb = 'read' | 'write';
export type Scope = `${Verb}:${Resource}` | 'admin' | ActionGrant;

export interface Actor {
  /** `user:<name>`, `key:<id>` of a key that names nobody, or `system`. */
  readonly id: string;
  readonly scopes: readonly string[];
  readonly ip?: string;
  /** By what the actor came: `key:<id>`, or `link`. */
  readonly via?: string;
  /** Who it is at approval gates. */
  readonly person?: { readonly user: string; readonly roles: readonly string[] };
}

const everyRead = resources.map((resource): Scope => `read:${resource}`);
/** The trail of who did what is for those who decide. */
const readAll = everyRead.filter((scope) => scope !== 'read:audit');

/**
 * Destinations and credentials belong to administrators; editors only refer to them. Operators start, stop and repair runs, work on incidents and send dead letters again;
 * approvers decide at gates, where the playbook says whose decision counts. Links are made by administrators and by keys for it alone.
 */
export const roles = {
  viewer: readAll,
  editor: [...readAll, 'write:rules', 'write:actions', 'write:sinks', 'write:lists', 'write:playbooks'],
  operator: [...readAll, 'write:runs', 'write:incidents', 'write:dead-letters'],
  approver: [...everyRead, 'write:approvals'],
  admin: ['admin'],
} as const satisfies Record<string, readonly Scope[]>;
export type Role = keyof typeof roles;

/** Those that need no catalogue of action types. */
export const allScopes: readonly Scope[] = [
  'admin',
  ...everyRead,
  ...resources.map((resource): Scope => `write:${resource}`),
];

/** Whether it could be granted; which action types there are is the catalogue's to say. */
export function isScope(scope: string): boolean {
  return (allScopes as readonly string[]).includes(scope) || /^action:[a-z0-9][a-z0-9-]*$/.test(scope);
}

/** Writing a resource does not include reading it. */
export function can(scopes: readonly string[], scope: Scope): boolean {
  return scopes.includes('admin') || scopes.includes(scope);
}

/**
 * The actor within one write of a webhook or SIEM integration, which is a connection and a sink under one id: whoever may write
 * webhooks may write these two there.
 */
export function asWebhookWriter(actor: Actor): Actor {
  authorize(actor, 'write:webhooks');
  return { ...actor, scopes: [...actor.scopes, 'write:connections', 'write:sinks'] };
}

/** The actor lacks a scope. */
export class AccessDenied extends Error {
  override readonly name = 'AccessDenied';
  readonly scope: Scope;
  constructor(scope: Scope) {
    super(`needs the scope ${scope}`);
    this.scope = scope;
  }
}

/** Throws AccessDenied. */
export function authorize(actor: Actor, scope: Scope): void {
  if (!can(actor.scopes, scope)) throw new AccessDenied(scope);
}
