// Builds the bulk request of an index command: a pure function of command, connection and time.
//
// Invariant: no value can leave its place: a document is one line of JSON, an id is a JSON text, and a name that no index can have, or that a
// value made to begin with a dot, fails the command.
import { createHash } from 'node:crypto';
import type { Command } from '@tocsin/schemas/types.ts';
import { eventTime } from '../../domain/action/event-time.ts';
import { baseRequest } from '../../domain/action/exchange.ts';
import { failed, isFailed } from '../../domain/action/fail.ts';
import type { HttpTarget } from '../../domain/action/http-target.ts';
import type { Failed, Json } from '../../domain/action/outcome.ts';
import { rowId } from '../../domain/action/row-id.ts';
import { refuseIndexName } from '../../domain/formats/index-name.ts';
import { renderJson } from '../../domain/templates/json-template.ts';
import { lookup, type Views } from '../../domain/templates/lookup.ts';
import { parseTemplate, type Template } from '../../domain/templates/parse.ts';
import { render, warningsOf } from '../../domain/templates/render.ts';
import { type Row, rowsOf, viewsOf } from '../../domain/templates/view.ts';
import type { HttpRequest } from '../../ports/http.ts';
import { type IndexParams, nameTemplate } from './params.ts';

export interface IndexRequest {
  readonly request: HttpRequest;
  /** Documents in it, in the order of the rows. */
  readonly documents: number;
  readonly warnings: readonly string[];
}

interface Item {
  readonly index: string;
  readonly id: string;
  readonly verb: 'create' | 'index' | 'update';
  readonly meta: { readonly [name: string]: Json };
  readonly source: Json;
}

/** Longest id, bytes (IndexRequest.MAX_DOCUMENT_ID_LENGTH_IN_BYTES). */
const maxIdBytes = 512;
/** Of an answer: the states of the items, never their documents. */
const answerFields = 'errors,items.*.status,items.*.error.type,items.*.error.reason';

/** Throws TemplateError when a template cannot be rendered. `now` is epoch ms of this attempt. */
export function indexRequest(
  command: Command,
  params: IndexParams,
  target: HttpTarget,
  now: number,
): IndexRequest | Failed {
  const warnings = new Set<string>();
  const items: Item[] = [];
  for (const [number, row] of rowsOf(command).entries()) {
    const item = itemOf(command, params, { number, row, now, warnings });
    if (isFailed(item))
      return command.mode === 'all' ? { ...item, detail: `row ${number}: ${item.detail}` } : item;
    items.push(item);
  }
  const collapsed = collapses(command, params, items);
  if (collapsed !== null) return collapsed;
  // Where every document goes to one index its name stands in the path: some servers refuse names in the body.
  const names = new Set(items.map(({ index }) => index));
  const [only] = names.size === 1 ? names : [];
  const lines = items.flatMap(({ index, id, verb, meta, source }) => [
    JSON.stringify({ [verb]: { ...(only === undefined ? { _index: index } : {}), _id: id, ...meta } }),
    JSON.stringify(source),
  ]);
  const path = only === undefined ? '/_bulk' : `/${encodeURIComponent(only)}/_bulk`;
  return {
    request: {
      ...baseRequest(target),
      method: 'POST',
      url: `${target.origin}${target.basePath}${path}?filter_path=${answerFields}`,
      headers: [
        // No charset: Elasticsearch answers 406 to one.
        ['content-type', 'application/x-ndjson'],
        ['user-agent', 'tocsin'],
        ...target.authorization,
      ],
      body: lines.map((line) => `${line}\n`).join(''),
      maxResponseBytes: 64 * 1024 + items.length * 2048,
    },
    documents: items.length,
    warnings: [...warnings],
  };
}

interface At {
  readonly number: number;
  readonly row: Row;
  readonly now: number;
  readonly warnings: Set<string>;
}

function itemOf(command: Command, params: IndexParams, at: At): Item | Failed {
  const { operation = 'create' } = params;
  const views = viewsOf(
    command,
    command.subject.rows === undefined ? { now: at.now } : { now: at.now, row: at.row },
  );
  const time = eventTime(command, at.row);
  const index = indexOf(params, views, time);
  if (isFailed(index)) return index;
  const document = documentOf(command, params, at, views, time);
  if (operation === 'create')
    return { index, id: rowId(command, at.number), verb: 'create', meta: {}, source: document };
  const id =
    params.key_fields === undefined
      ? idOf(params.id ?? '', views)
      : hashOf(command, params.key_fields, views);
  if (isFailed(id)) return id;
  if (params.version === undefined)
    return {
      index,
      id,
      verb: 'update',
      meta: { retry_on_conflict: 3 },
      source: { doc: document, doc_as_upsert: true },
    };
  const version = params.version === 'event_time' ? time : versionOf(params.version, views);
  if (isFailed(version)) return version;
  return { index, id, verb: 'index', meta: { version, version_type: 'external' }, source: document };
}

function indexOf(params: IndexParams, views: Views, time: number): string | Failed {
  const name = filled('index', nameTemplate(params.index, time), views);
  if (isFailed(name)) return name;
  const suffix =
    params.suffix === undefined ? '' : filled('suffix', nameTemplate(params.suffix, time), views);
  if (isFailed(suffix)) return suffix;
  // Values are not written for names; what differs only by case is the same name.
  const whole = (suffix === '' ? name : `${name}-${suffix}`).toLowerCase();
  const why =
    whole.startsWith('.') && !params.index.startsWith('.')
      ? 'begins with a dot, which is for the system'
      : refuseIndexName(whole);
  return why === null ? whole : failed('index_name', `index: ${JSON.stringify(whole.slice(0, 80))} ${why}`);
}

// A name or id with a gap in it is another name or id.
function filled(field: string, template: Template, views: Views): string | Failed {
  const rendered = render(template, views, 'none');
  const [gap] = rendered.empty;
  if (gap !== undefined) return failed('template', `${field}: {{${gap}}} has no value`);
  return rendered.text;
}

function idOf(template: string, views: Views): string | Failed {
  const id = filled('id', parseTemplate(template, { raw: false }), views);
  if (isFailed(id)) return id;
  const bytes = Buffer.byteLength(id);
  return bytes > 0 && bytes <= maxIdBytes
    ? id
    : failed('template', `id: must have 1 to ${maxIdBytes} bytes, and has ${bytes}`);
}

function hashOf(command: Command, fields: readonly string[], views: Views): string | Failed {
  const values = fields.map((name) => lookup(name, views));
  const gap = values.findIndex((value) => value === undefined || value === null || value === '');
  if (gap >= 0) return failed('template', `key_fields: ${fields[gap]} has no value`);
  const parts = ['v1', command.tenant ?? '', command.rule?.id ?? command.action.id, fields, values];
  return createHash('sha256').update(JSON.stringify(parts)).digest('hex').slice(0, 32);
}

function versionOf(template: string, views: Views): number | Failed {
  const text = filled('version', parseTemplate(template, { raw: false }), views);
  if (isFailed(text)) return text;
  const version = /^\d{1,16}$/.test(text) ? Number(text) : Number.NaN;
  return Number.isSafeInteger(version)
    ? version
    : failed('template', 'version: must be a whole number from 0 to 9007199254740991');
}

function documentOf(command: Command, params: IndexParams, at: At, views: Views, time: number): Json {
  const { timestamp_field: field = '@timestamp' } = params;
  const document = (): { readonly [name: string]: Json } => {
    if (params.document === undefined)
      return (command.subject.rows === undefined ? (command.subject.event ?? {}) : at.row) as {
        [name: string]: Json;
      };
    const rendered = renderJson(params.document, views);
    for (const warning of warningsOf('document', rendered)) at.warnings.add(warning);
    return rendered.value as { [name: string]: Json };
  };
  const source = document();
  if (field === '' || Object.hasOwn(source, field)) return source;
  return { ...source, [field]: new Date(time).toISOString() };
}

// Rows that all have one id would leave only the last of them.
function collapses(command: Command, params: IndexParams, items: readonly Item[]): Failed | null {
  if (params.operation !== 'update' || command.subject.rows === undefined) return null;
  const fixed = params.id !== undefined && !params.id.includes('{{') && command.mode !== 'first';
  const same = items.length > 1 && new Set(items.map(({ index, id }) => `${index}/${id}`)).size === 1;
  if (!fixed && !same) return null;
  return failed('invalid_params', 'id: is the same for every row, so that only the last would be left');
}
