// Parameters that all chat messages share, and the connections that they can use.
import type { Issue } from '@tocsin/schemas/codecs/validate.ts';
import type { Connection, HttpConnection } from '@tocsin/schemas/types.ts';
import { checkTemplate } from '../templates/check.ts';

export interface NoticeParams {
  readonly link?: string;
  readonly max_rows?: number;
}

export const maxRowsDefault = 10;

export const linkParam = {
  type: 'string',
  minLength: 1,
  maxLength: 2048,
  description:
    'Address that the default text links to; a template. Default: a field link, url, finding_url or permalink of the finding.',
};

export const maxRowsParam = {
  type: 'integer',
  minimum: 1,
  maximum: 100,
  default: maxRowsDefault,
  description: 'Rows of a set that the default text shows; a last line says how many more there are.',
};

/** Template problems of the shared parameters. */
export function checkNotice(params: NoticeParams): Issue[] {
  return checkTemplate(params.link, 'none', '/link');
}

/** How a chat connection authenticates: its address is the secret, or it has a token. */
export type ChatAccess = 'webhook' | 'token';

export function chatAccess(connection: Pick<HttpConnection, 'secrets'>): ChatAccess {
  return connection.secrets?.['secret_path'] === undefined ? 'token' : 'webhook';
}

/**
 * Contradictions of a chat action and its connection. `tokenOnly` and `webhookOnly` are parameters that one kind of
 * connection does not know; a token needs those of `tokenNeeds`.
 */
export function checkChatConnection(
  params: Readonly<Record<string, unknown>>,
  connection: Connection,
  rules: {
    readonly tokenOnly?: readonly string[];
    readonly webhookOnly?: readonly string[];
    readonly tokenNeeds?: readonly string[];
  },
): Issue[] {
  if (connection.type !== 'http') return [{ path: '', message: 'needs an HTTP connection' }];
  const { tokenOnly = [], webhookOnly = [], tokenNeeds = [] } = rules;
  if (chatAccess(connection) === 'webhook')
    return tokenOnly
      .filter((name) => params[name] !== undefined)
      .map((name) => ({
        path: `/${name}`,
        message: 'cannot be set with an incoming webhook (secrets.secret_path)',
      }));
  if (connection.auth?.type !== 'bearer')
    return [
      {
        path: '',
        message: 'needs a connection with secrets.secret_path (webhook) or auth bearer (bot token)',
      },
    ];
  return [
    ...webhookOnly
      .filter((name) => params[name] !== undefined)
      .map((name) => ({
        path: `/${name}`,
        message: 'can only be set with an incoming webhook (secrets.secret_path)',
      })),
    ...tokenNeeds
      .filter((name) => params[name] === undefined)
      .map((name) => ({ path: `/${name}`, message: 'is required with a bot token' })),
  ];
}
