// An action tried out on an event or on rows: a command as it would be decided, and what its parameters render to one by one.
//
// Invariant: nothing is opened and no secret is read: where the action needs a connection its secrets are stand-ins.
// Surprise: a parameter alone is shown without the escaping of its place; what would be sent, escaped, is the preview of the action.
import type { Command, Connection } from '@tocsin/schemas/types.ts';
import { SecretValue } from '../../ports/secrets.ts';
import type { Views } from '../templates/lookup.ts';
import { TemplateError } from '../templates/parse.ts';
import { renderText, warningsOf } from '../templates/render.ts';
import { viewsOf } from '../templates/view.ts';
import type { ResolvedConnection } from './define-action.ts';

export type TryMode = Command['mode'];

export interface TrySubject {
  readonly event?: Readonly<Record<string, unknown>>;
  readonly rows?: readonly Readonly<Record<string, unknown>>[];
  /** The search result around the rows. */
  readonly search?: Readonly<Record<string, unknown>>;
  readonly globalParams?: Readonly<Record<string, unknown>>;
  /** What a playbook run knows besides. */
  readonly context?: Readonly<Record<string, unknown>>;
  readonly mode: TryMode;
  /** With mode each: the row that the command is about. */
  readonly rowIndex: number;
}

/** The command that an action with these parameters would get. `now`: epoch ms. */
export function commandToTry(
  type: string,
  params: Command['params'],
  subject: TrySubject,
  now: number,
  connection?: string,
): Command {
  const { event, rows = [], mode, rowIndex } = subject;
  const isEvent = event !== undefined;
  const taken =
    mode === 'all' ? rows : mode === 'first' ? rows.slice(0, 1) : rows.slice(rowIndex, rowIndex + 1);
  const search = {
    ...subject.search,
    ...(subject.globalParams === undefined ? {} : { global_params: subject.globalParams }),
  };
  return {
    v: 1,
    command_id: '0'.repeat(32),
    type,
    trigger: 'test',
    source: {
      id: 'preview',
      kind: isEvent ? 'event' : 'search-result',
      topic: 'preview',
      partition: 0,
      offset: 0,
      ...(typeof event?.['event'] === 'string' ? { event: event['event'] } : {}),
    },
    rule: { id: 'preview', name: 'preview', revision: 1 },
    action: { id: 'preview', name: 'preview', key: 'preview', revision: 1 },
    ...(connection === undefined ? {} : { connection }),
    mode,
    row_index: isEvent ? 0 : mode === 'all' ? 'all' : mode === 'first' ? 0 : rowIndex,
    params,
    subject: {
      ...(isEvent
        ? { event: { ...event } }
        : { rows: taken.map((row) => ({ ...row })), total_rows: rows.length, search }),
      ...(subject.context === undefined ? {} : { context: { ...subject.context } }),
    },
    hops: 1,
    created_at: now,
  };
}

export interface TriedText {
  /** JSON Pointer into the parameters. */
  readonly path: string;
  readonly template: string;
  /** Null when it cannot be rendered; then `error` says why. */
  readonly rendered: string | null;
  /** Names that have no value. */
  readonly missing: readonly string[];
  readonly warnings: readonly string[];
  readonly error?: string;
}

/** Texts with tokens that are tried out at a time: each may take as many steps as templateLimits allows. */
export const tryTexts = 100;

/** Whether the parameters hold more than `tryTexts` of them. */
export function tooManyTexts(params: Command['params']): boolean {
  let count = 0;
  const visit = (value: unknown): void => {
    if (typeof value === 'string') count += value.includes('{{') ? 1 : 0;
    else if (typeof value === 'object' && value !== null) Object.values(value).forEach(visit);
  };
  visit(params);
  return count > tryTexts;
}

/** Every text of the parameters that holds tokens. Texts of `local_params` are names for the others, as where they are used. */
export function tryParams(params: Command['params'], command: Command, now: number): TriedText[] {
  const views = viewsOf(command, { now });
  const { local_params: given } = params as { local_params?: unknown };
  const locals = isRecord(given) ? renderLocals(given, views) : undefined;
  const all = locals === undefined ? views : viewsOf(command, { now, locals });
  const tried: TriedText[] = [];
  const visit = (value: unknown, path: string, seen: Views): void => {
    if (typeof value === 'string') {
      if (value.includes('{{')) tried.push(tryText(value, path, seen));
    } else if (Array.isArray(value))
      value.forEach((item, index) => void visit(item, `${path}/${index}`, seen));
    else if (isRecord(value))
      for (const [name, member] of Object.entries(value))
        visit(
          member,
          `${path}/${name.replaceAll('~', '~0').replaceAll('/', '~1')}`,
          path === '' && name === 'local_params' ? views : seen,
        );
  };
  visit(params, '', all);
  return tried;
}

function tryText(template: string, path: string, views: Views): TriedText {
  try {
    const rendered = renderText(template, views, 'none');
    const warnings = warningsOf(path, rendered);
    return { path, template, rendered: rendered.text, missing: rendered.missing, warnings };
  } catch (error) {
    if (!(error instanceof TemplateError)) throw error;
    return { path, template, rendered: null, missing: [], warnings: [], error: error.message };
  }
}

function renderLocals(given: Readonly<Record<string, unknown>>, views: Views): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(given).map(([name, text]) => [
      name,
      typeof text === 'string' ? (tryText(text, '', views).rendered ?? '') : text,
    ]),
  );
}

const standIns = {
  secret_path: '/redacted',
  hmac: `whsec_${Buffer.from('a stand-in, not a secret').toString('base64')}`,
} as const;

/** A connection with stand-ins for its secrets, which are not looked up. */
export function withStandIns(config: Connection): ResolvedConnection {
  const names = Object.keys(config.secrets ?? {});
  return {
    config,
    secrets: Object.fromEntries(
      names.map((name) => [name, new SecretValue((standIns as Record<string, string>)[name] ?? 'redacted')]),
    ),
  };
}

/** For trying out an action before its connection is made: the first of these that fits its parameters. */
export function standInConnections(type: Connection['type']): ResolvedConnection[] {
  const host = 'connection.invalid';
  const common = { kind: 'connection', id: 'preview', host } as const;
  const credentials = { password: standInRef, token: standInRef };
  if (type === 'smtp')
    return [withStandIns({ ...common, type, from: `preview@${host}`, secrets: credentials })];
  if (type === 'database') {
    const account = { engine: 'postgres', database: 'preview', user: 'preview' } as const;
    return [withStandIns({ ...common, ...account, type, secrets: credentials })];
  }
  if (type === 'script-host') return [withStandIns({ ...common, type, secrets: { token: standInRef } })];
  if (type === 'syslog') return [withStandIns({ ...common, type })];
  return [
    withStandIns({ ...common, type, auth: { type: 'bearer' }, secrets: credentials }),
    withStandIns({ ...common, type, secrets: { secret_path: standInRef } }),
  ];
}

const standInRef = { env: 'NONE' };

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
