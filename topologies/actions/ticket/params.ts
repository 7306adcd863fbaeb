// Parameters of the generic ticket action as a type, and the checks that its JSON Schema cannot express.
import type { Issue } from '@tocsin/schemas/codecs/validate.ts';
import type { Connection } from '@tocsin/schemas/types.ts';
import type { Json } from '../../domain/action/outcome.ts';
import { checkPath, type Pair } from '../../domain/action/path-template.ts';
import { type Dedupe, type Operation, operationOf } from '../../domain/action/ticket/params.ts';
import { checkTemplate } from '../../domain/templates/check.ts';
import { checkJsonTemplate } from '../../domain/templates/json-template.ts';

export interface TicketRequest {
  readonly method?: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  readonly path: string;
  readonly params?: readonly Pair[];
  readonly body?: Json;
  readonly ok?: readonly number[];
}

export interface GenericParams {
  readonly operation?: Operation;
  readonly ref?: string | null;
  readonly create?: TicketRequest & { readonly ref: string; readonly url?: string };
  readonly update?: TicketRequest;
  readonly transition?: TicketRequest;
  readonly comment?: TicketRequest;
  readonly find?: TicketRequest & { readonly found: string };
  readonly find_open?: TicketRequest & { readonly found: string };
  readonly dedupe?: Omit<Dedupe, 'comment'>;
}

export const requestNames = ['create', 'update', 'transition', 'comment', 'find', 'find_open'] as const;

/** Issues of schema-valid parameters. */
export function checkTicket(params: GenericParams): Issue[] {
  const operation = operationOf(params as { operation?: Operation });
  const { dedupe } = params;
  const issues = requestNames.flatMap((name) => {
    const request = params[name];
    return request === undefined ? [] : checkRequest(request, `/${name}`);
  });
  issues.push(
    ...checkTemplate(params.ref, 'none', '/ref'),
    ...checkTemplate(dedupe?.key, 'none', '/dedupe/key'),
  );
  const need = (name: 'ref' | (typeof requestNames)[number], what: string): void => {
    if (params[name] === undefined) issues.push({ path: `/${name}`, message: `is required for ${what}` });
  };
  need(operation, operation);
  if (operation !== 'create') {
    need('ref', operation);
    if (dedupe !== undefined) issues.push({ path: '/dedupe', message: 'is for create only' });
    return issues;
  }
  if (params.ref !== undefined) issues.push({ path: '/ref', message: 'cannot be set for create' });
  if (dedupe === undefined) return issues;
  need('find_open', 'dedupe');
  const { on_found = 'comment' } = dedupe;
  if (on_found !== 'nothing') need(on_found, `dedupe with on_found ${on_found}`);
  return issues;
}

function checkRequest(request: TicketRequest, at: string): Issue[] {
  const issues = checkPath(request.path, `${at}/path`);
  for (const [index, { value }] of (request.params ?? []).entries())
    issues.push(...checkTemplate(value, 'none', `${at}/params/${index}/value`));
  if (request.body !== undefined) {
    issues.push(...checkJsonTemplate(request.body, `${at}/body`));
    if (request.method === 'GET') issues.push({ path: `${at}/body`, message: 'cannot be set for GET' });
  }
  return issues;
}

export function checkTicketConnection(connection: Connection): Issue[] {
  return connection.type === 'http' ? [] : [{ path: '', message: 'needs an HTTP connection' }];
}
