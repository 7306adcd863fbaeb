// Builds the one HTTP request of a webhook command: a pure function of command, connection and time.
//
// Invariant: scheme, host and port are the connection's; no value can add a header, a query parameter or a path segment.
import type { Command } from '@tocsin/schemas/types.ts';
import { isFailed } from '../../domain/action/fail.ts';
import type { HttpTarget } from '../../domain/action/http-target.ts';
import type { Failed } from '../../domain/action/outcome.ts';
import { renderPath, renderQuery } from '../../domain/action/path-template.ts';
import { bodySignature, standardSignature } from '../../domain/delivery/sign.ts';
import type { Views } from '../../domain/templates/lookup.ts';
import { renderText, warningsOf } from '../../domain/templates/render.ts';
import { viewsOf } from '../../domain/templates/view.ts';
import type { HttpRequest } from '../../ports/http.ts';
import { webhookBody } from './body.ts';
import { contentTypeOf, type WebhookParams } from './params.ts';

export interface WebhookRequest {
  readonly request: HttpRequest;
  readonly warnings: readonly string[];
}

export interface WebhookInput {
  readonly command: Command;
  readonly params: WebhookParams;
  readonly target: HttpTarget;
  /** Keys that sign, the newest first; none: no signature. */
  readonly keys: readonly Buffer[];
  /** Epoch ms of this attempt. */
  readonly now: number;
}

/** Throws TemplateError when a template cannot be rendered. */
export function webhookRequest(input: WebhookInput): WebhookRequest | Failed {
  const { command, params, target, now } = input;
  const views = viewsOf(command, { now });
  const path = renderPath(params.path ?? '/', views);
  if (typeof path !== 'string') return path;
  const query = renderQuery(params.params ?? [], views);
  const headers = renderHeaders(params, views);
  const body = webhookBody(command, params, views);
  if (isFailed(body)) return body;
  return {
    request: {
      method: params.method ?? 'POST',
      url: `${target.origin}${target.basePath}${path}${query.text}`,
      headers: [
        ...(body.bytes === null ? [] : ([['content-type', contentTypeOf(params)]] as const)),
        ...headers.lines,
        ...target.authorization,
        ...signatureHeaders(input, body.bytes ?? Buffer.alloc(0)),
      ],
      timeoutMs: target.timeoutMs,
      allowCidrs: target.allowCidrs,
      ...(body.bytes === null ? {} : { body: body.bytes }),
      ...(target.tls === undefined ? {} : { tls: target.tls }),
    },
    warnings: [...query.warnings, ...headers.warnings, ...body.warnings],
  };
}

function renderHeaders(
  params: WebhookParams,
  views: Views,
): { readonly lines: readonly (readonly [string, string])[]; readonly warnings: readonly string[] } {
  const warnings: string[] = [];
  const lines: [string, string][] = [];
  for (const { name, value } of params.headers ?? []) {
    const lower = name.toLowerCase();
    // It is sent with the body, once.
    if (lower === 'content-type') continue;
    const rendered = renderText(value, views, 'header');
    warnings.push(...warningsOf(`header ${name}`, rendered));
    lines.push([lower, headerValue(rendered.text)]);
  }
  if (!lines.some(([name]) => name === 'user-agent')) lines.push(['user-agent', 'tocsin']);
  return { lines, warnings };
}

// Field values are bytes (RFC 9110 section 5.5): text beyond ASCII travels as the bytes of its UTF-8 form.
function headerValue(text: string): string {
  return Buffer.from(text.trim(), 'utf8').toString('latin1');
}

function signatureHeaders({ command, params, keys, now }: WebhookInput, body: Buffer): [string, string][] {
  const timestamp = Math.floor(now / 1000);
  const headers: [string, string][] = [
    ['webhook-id', command.command_id],
    ['webhook-timestamp', String(timestamp)],
  ];
  const newest = keys[0];
  if (newest === undefined) return headers;
  headers.push(['webhook-signature', standardSignature(keys, command.command_id, timestamp, body)]);
  if (params.sha256_signature === true) headers.push(['x-s4e-signature', bodySignature(newest, body)]);
  return headers;
}
