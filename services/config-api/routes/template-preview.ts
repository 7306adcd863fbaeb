// What a template, or an action with its parameters, becomes for an event or for rows: for whoever writes one.
//
// Invariant: nothing is stored, opened or sent, and no secret is read.

import { authorize } from '@tocsin/adapters/postgres/access.ts';
import type { Connection } from '@tocsin/schemas/types.ts';
import { actions } from '@tocsin/topologies/actions/registry.ts';
import { checked, checkParams } from '@tocsin/topologies/domain/action/check-params.ts';
import {
  type Action,
  connectionTypes,
  type ResolvedConnection,
} from '@tocsin/topologies/domain/action/define-action.ts';
import {
  commandToTry,
  standInConnections,
  type TryMode,
  type TrySubject,
  tooManyTexts,
  tryParams,
  tryTexts,
  withStandIns,
} from '@tocsin/topologies/domain/action/try-out.ts';
import { checkTemplate } from '@tocsin/topologies/domain/templates/check.ts';
import type { Escape } from '@tocsin/topologies/domain/templates/escape.ts';
import { TemplateError } from '@tocsin/topologies/domain/templates/parse.ts';
import { renderText, warningsOf } from '@tocsin/topologies/domain/templates/render.ts';
import { viewsOf } from '@tocsin/topologies/domain/templates/view.ts';
import { dryOutcome } from '@tocsin/topologies/run/perform-dry.ts';
import type { FastifyInstance } from 'fastify';
import type { Dependencies } from '../dependencies.ts';
import { unprocessable } from '../errors.ts';

type Fields = Readonly<Record<string, unknown>>;

interface Body {
  readonly template?: string;
  readonly escape?: Escape;
  readonly type?: string;
  readonly params?: Fields;
  readonly connection?: string;
  readonly event?: Fields;
  readonly rows?: readonly Fields[];
  readonly search?: Fields;
  readonly global_params?: Fields;
  readonly context?: Fields;
  readonly mode?: TryMode;
  readonly row_index?: number;
}

const escapes = ['text', 'html', 'json', 'header', 'url', 'chat', 'mrkdwn', 'markdown', 'none'] as const;
const object = (description: string) => ({ type: 'object', description });

const bodySchema = {
  type: 'object',
  additionalProperties: false,
  description: 'Either template, or type with params; one of event and rows.',
  properties: {
    template: { type: 'string', maxLength: 65_536 },
    escape: { enum: escapes, description: 'Where the text goes: how values are escaped. Default text.' },
    type: { type: 'string', minLength: 1, maxLength: 64, description: 'An action type.' },
    params: object('Parameters of the action.'),
    connection: {
      type: 'string',
      minLength: 1,
      maxLength: 128,
      description: 'A stored connection; without it a stand-in. Its secrets are not read.',
    },
    event: object('An event envelope.'),
    rows: {
      type: 'array',
      maxItems: 1_000,
      items: { type: 'object' },
      description: 'Rows of a search result.',
    },
    search: object('The search result around the rows, without them.'),
    global_params: object('Global parameters of the search job.'),
    context: object('What a playbook run knows: steps, run, params, vars and the like.'),
    mode: {
      enum: ['each', 'first', 'all'],
      description: 'Default: that of the action type; each for a template.',
    },
    row_index: { type: 'integer', minimum: 0, maximum: 999, description: 'With mode each; default 0.' },
  },
} as const;

export function templatePreviewRoutes(app: FastifyInstance, { store }: Pick<Dependencies, 'store'>): void {
  app.post<{ Body: Body }>(
    '/api/templates/preview',
    {
      config: { access: 'read:actions' },
      schema: {
        summary: 'Show what a template or the parameters of an action become',
        tags: ['actions'],
        body: bodySchema,
      },
    },
    async ({ actor, body }) => {
      const now = Date.now();
      if ((body.template === undefined) === (body.type === undefined))
        throw unprocessable([{ path: '', message: 'give one of template and type' }]);
      if (body.template !== undefined) return previewText(body, body.template, now);
      const action = actionOf(body.type ?? '');
      const params = body.params ?? {};
      const issues = checkParams(action, params);
      if (issues.length > 0)
        throw unprocessable(issues.map((issue) => ({ ...issue, path: `/params${issue.path}` })));
      if (tooManyTexts(params)) {
        const message = `has more than ${tryTexts} texts with tokens; try out a part of them`;
        throw unprocessable([{ path: '/params', message }]);
      }
      if (body.connection !== undefined) authorize(actor, 'read:connections');
      const connection = await connectionOf(action, params, body.connection);
      const command = commandOf(body, action, params, now);
      const outcome = dryOutcome(checked(action), command, connection, now);
      const { mode, row_index } = command;
      return { mode, row_index, params: tryParams(params, command, now), outcome };
    },
  );

  /** Null when these parameters need none. */
  async function connectionOf(
    action: Action,
    params: Fields,
    id: string | undefined,
  ): Promise<ResolvedConnection | null> {
    const types = connectionTypes(action.manifest.connection);
    if (id !== undefined) {
      const stored = await store.get('connection', id);
      if (stored === null) throw unprocessable([{ path: '/connection', message: `no connection ${id}` }]);
      const config = stored.document as unknown as Connection;
      if (!types.includes(config.type)) {
        const needed = types.join(' or ') || 'none';
        throw unprocessable([
          { path: '/connection', message: `is of type ${config.type}, the action needs ${needed}` },
        ]);
      }
      return withStandIns(config);
    }
    if (types.length === 0 || action.needsConnection?.(params) === false) return null;
    const candidates = types.flatMap(standInConnections);
    const fits = ({ config }: ResolvedConnection) =>
      (action.checkConnection?.(params, config) ?? []).length === 0;
    return candidates.find(fits) ?? candidates[0] ?? null;
  }
}

function previewText(body: Body, template: string, now: number): Record<string, unknown> {
  const kind = body.escape ?? 'text';
  const [issue] = checkTemplate(template, kind, '/template');
  if (issue !== undefined) throw unprocessable([issue]);
  const command = commandOf(body, null, {}, now);
  try {
    const { text, missing, ...rest } = renderText(template, viewsOf(command, { now }), kind);
    return { text, missing, warnings: warningsOf('template', { missing, ...rest }) };
  } catch (error) {
    if (!(error instanceof TemplateError)) throw error;
    throw unprocessable([{ path: '/template', message: error.message }]);
  }
}

function commandOf(body: Body, action: Action | null, params: Fields, now: number) {
  const { event, rows, search, global_params, context, connection } = body;
  if ((event === undefined) === (rows === undefined))
    throw unprocessable([{ path: '', message: 'give one of event and rows' }]);
  const ofType = action === null ? null : (action.modeOf?.(params) ?? action.manifest.defaultMode);
  const mode = body.mode ?? (event !== undefined ? 'each' : (ofType ?? 'each'));
  const rowIndex = body.row_index ?? 0;
  if (body.row_index !== undefined && (event !== undefined || mode !== 'each'))
    throw unprocessable([{ path: '/row_index', message: 'goes with rows in mode each' }]);
  if (mode === 'each' && rows !== undefined && rows[rowIndex] === undefined)
    throw unprocessable([{ path: '/row_index', message: `there are ${rows.length} rows` }]);
  const subject: TrySubject = {
    mode,
    rowIndex,
    ...(event === undefined ? {} : { event }),
    ...(rows === undefined ? {} : { rows }),
    ...(search === undefined ? {} : { search }),
    ...(global_params === undefined ? {} : { globalParams: global_params }),
    ...(context === undefined ? {} : { context }),
  };
  return commandToTry(action?.manifest.id ?? 'template', params, subject, now, connection);
}

function actionOf(type: string): Action {
  const action = Object.hasOwn(actions, type) ? actions[type as keyof typeof actions] : undefined;
  if (action === undefined)
    throw unprocessable([
      { path: '/type', message: `no action type ${type}; there are ${Object.keys(actions).join(', ')}` },
    ]);
  return action;
}
