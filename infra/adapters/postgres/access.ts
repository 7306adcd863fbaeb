// Who may do what: scopes `read:<resource>`, `write:<resource>` and `admin`; a role is a named set of scopes.
//
// Invariant: every write goes through `authorize` in the store as well as in the route, so that a second way in
// (import, command line) cannot lack the check.

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
] as const;
export type Resource = (typeof resources)[number];
export type Verb = 'read' | 'write';
export type Scope = `${Verb}:${Resource}` | 'admin';

export interface Actor {
  /** Key id or `system`. */
  readonly id: string;
  readonly scopes: readonly string[];
  readonly ip?: string;
}

const readAll = resources.map((resource): Scope => `read:${resource}`);

/** Destinations and credentials belong to administrators; editors only refer to them. */
export const roles = {
  viewer: readAll,
  editor: [...readAll, 'write:rules', 'write:actions', 'write:sinks', 'write:lists', 'write:playbooks'],
  admin: ['admin'],
} as const satisfies Record<string, readonly Scope[]>;
export type Role = keyof typeof roles;

export const allScopes: readonly Scope[] = [
  'admin',
  ...readAll,
  ...resources.map((resource): Scope => `write:${resource}`),
];

/** Writing a resource does not include reading it. */
export function can(scopes: readonly string[], scope: Scope): boolean {
  return scopes.includes('admin') || scopes.includes(scope);
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
