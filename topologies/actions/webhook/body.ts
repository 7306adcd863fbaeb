// The body of a webhook: the event or rows as they came, a rendered template, or the Splunk envelope around the former.
import type { Command } from '@tocsin/schemas/types.ts';
import { failed } from '../../domain/action/fail.ts';
import type { Failed, Json } from '../../domain/action/outcome.ts';
import { renderJson } from '../../domain/templates/json-template.ts';
import type { Views } from '../../domain/templates/lookup.ts';
import { renderText, warningsOf } from '../../domain/templates/render.ts';
import { rowsOf } from '../../domain/templates/view.ts';
import { contentTypeOf, escapeOf, isJson, type WebhookParams } from './params.ts';

export interface WebhookBody {
  /** null: no body at all. */
  readonly bytes: Buffer | null;
  readonly warnings: readonly string[];
}

/** The exact bytes to send. Throws TemplateError. */
export function webhookBody(command: Command, params: WebhookParams, views: Views): WebhookBody | Failed {
  const method = params.method ?? 'POST';
  if (method === 'GET')
    return {
      bytes: null,
      warnings: params.body === undefined ? [] : ['body: dropped, because GET has none'],
    };
  if (params.body === undefined)
    return {
      bytes: method === 'DELETE' ? null : Buffer.from(JSON.stringify(wrap(defaultBody(command), params))),
      warnings: [],
    };
  if (typeof params.body !== 'string') {
    const rendered = renderJson(params.body, views);
    return { bytes: Buffer.from(JSON.stringify(rendered.value)), warnings: warningsOf('body', rendered) };
  }
  const kind = escapeOf(contentTypeOf(params));
  const rendered = renderText(params.body, views, kind);
  if (rendered.text === '') return { bytes: null, warnings: warningsOf('body', rendered) };
  if (kind === 'json' && !isJson(rendered.text))
    return failed('invalid_body', 'the rendered body is not valid JSON');
  return { bytes: Buffer.from(rendered.text), warnings: warningsOf('body', rendered) };
}

/** The event as its producer wrote it; one row; or all rows with what they belong to. */
function defaultBody(command: Command): unknown {
  const { event, rows, search, total_rows } = command.subject;
  if (rows === undefined) return event ?? {};
  if (command.mode !== 'all') return rowsOf(command)[0] ?? {};
  return {
    command_id: command.command_id,
    ...(command.rule === undefined
      ? {}
      : { rule: { id: command.rule.id, name: command.rule.name ?? command.rule.id } }),
    ...(search === undefined ? {} : { search }),
    row_count: total_rows ?? rows.length,
    rows,
  };
}

function wrap(body: unknown, params: WebhookParams): Json {
  if (params.transform !== 'splunk_hec') return body as Json;
  const { index, source = 's4e', sourcetype = '_json' } = params.splunk ?? {};
  return { event: body as Json, sourcetype, source, ...(index === undefined ? {} : { index }) };
}
