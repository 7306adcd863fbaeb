// The HTTP request of a webhook: address, headers and signatures over the exact bytes that are sent. Pure; the time comes in.

import { createHash } from 'node:crypto';
import type { ResolvedConnection } from '../../domain/action/define-action.ts';
import { httpTarget } from '../../domain/action/http-target.ts';
import { bodySignature, keyOf, standardSignature } from '../../domain/delivery/sign.ts';
import { refusedHeaderValue } from '../../domain/formats/header-value.ts';
import { SinkConfigError } from '../../domain/sink/define-sink.ts';
import type { HttpRequest } from '../../ports/http.ts';
import type { WebhookSinkParams } from './manifest.ts';
import type { Parcel } from './parcel.ts';
import { joined, type Shape } from './shapes.ts';

/** Answers are shown to people up to here; a _bulk answer has to be read whole. */
const answerBytes = 4096;
const bulkAnswerBytes = 4 * 1_048_576;

export interface WebhookRequests {
  /** The request that carries the parcels; `now` is epoch ms of this attempt. */
  request(parcels: readonly Parcel[], now: number): HttpRequest;
  /** Texts that must not be shown where an answer repeats them. */
  readonly hidden: readonly string[];
}

/** Compiles connection and parameters. Throws SinkConfigError when they cannot make a request. */
export function webhookRequests(
  params: WebhookSinkParams,
  shape: Shape,
  connection: ResolvedConnection,
): WebhookRequests {
  const { config, secrets } = connection;
  const target = httpTarget(connection);
  if ('status' in target) throw new SinkConfigError(target.detail);
  const lines = headerLines(params, connection);
  const newest = keyFor(connection, 'hmac');
  const previous = keyFor(connection, 'hmac_previous');
  const until =
    params.previous_until === undefined ? Number.POSITIVE_INFINITY : Date.parse(params.previous_until);
  const kinds = params.signatures ?? ['standard'];
  const taken = new Set(lines.map(([name]) => name.toLowerCase()));
  const authorization = target.authorization.filter(([name]) => !taken.has(name));

  function signed(id: string, now: number, body: Buffer): [string, string][] {
    const seconds = Math.floor(now / 1000);
    const headers: [string, string][] = [
      ['webhook-id', id],
      ['webhook-timestamp', String(seconds)],
    ];
    const keys = [newest, now < until ? previous : null].filter((key) => key !== null);
    const [first] = keys;
    if (first === undefined) return headers;
    if (kinds.includes('standard'))
      headers.push(['webhook-signature', standardSignature(keys, id, seconds, body)]);
    // These have room for one; receivers that know the new secret take it.
    if (kinds.includes('github')) headers.push(['x-hub-signature-256', bodySignature(first, body)]);
    if (kinds.includes('s4e')) headers.push(['x-s4e-signature', bodySignature(first, body)]);
    return headers;
  }

  return {
    hidden: hiddenTexts(connection),
    request(parcels, now) {
      const { path, body } = shape.request(joined(parcels));
      const id = parcels.length === 1 ? parcels[0]!.id : idOfMany(parcels);
      return {
        method: 'POST',
        url: `${target.origin}${target.basePath}${target.secretPath === null ? path : withQuery(path, target.secretPath)}`,
        headers: [
          ['content-type', shape.contentType],
          ...(taken.has('user-agent') ? [] : ([['user-agent', 'tocsin']] as const)),
          ...lines,
          ...authorization,
          ...signed(id, now, body),
        ],
        body,
        timeoutMs: target.timeoutMs,
        allowCidrs: target.allowCidrs,
        maxResponseBytes: shape.singly ? answerBytes : bulkAnswerBytes,
        ...(target.tls === undefined ? {} : { tls: target.tls }),
      };
    },
  };

  // The path of one document is made from the parameters; a secret path has the query.
  function withQuery(path: string, secret: string): string {
    const query = secret.indexOf('?');
    return path === (params.path ?? '/') || query < 0 ? secret : `${path}${secret.slice(query)}`;
  }

  function keyFor({ secrets: held }: ResolvedConnection, name: 'hmac' | 'hmac_previous'): Buffer | null {
    const secret = held[name]?.reveal();
    if (secret === undefined) return null;
    const key = keyOf(secret);
    if (key === null)
      throw new SinkConfigError(
        `connection ${config.id}: secrets.${name} must be whsec_ and base64, or text, of at least 16 bytes`,
      );
    return key;
  }

  function hiddenTexts({ secrets: held }: ResolvedConnection): string[] {
    const texts = Object.entries(held).flatMap(([name, secret]) =>
      name === 'headers' ? lines.map(([, value]) => value) : [secret.reveal()],
    );
    // A credential is hidden without its scheme as well.
    return [...texts, ...texts.flatMap((text) => text.split(/[\s?&=]+/).slice(1))].filter(
      (text) => text.length >= 8,
    );
  }

  function headerLines(given: WebhookSinkParams, { config: from }: ResolvedConnection): [string, string][] {
    const values = headerValues(secrets.headers?.reveal(), from.id);
    const own = (given.headers ?? []).map(({ name, value }): [string, string] => [name, bytesOf(value)]);
    const secret = (given.secret_headers ?? []).map((name): [string, string] => {
      const value = values[name];
      if (typeof value !== 'string')
        throw new SinkConfigError(`connection ${from.id}: secrets.headers has no text for ${name}`);
      if (refusedHeaderValue(value) !== null)
        throw new SinkConfigError(
          `connection ${from.id}: secrets.headers holds a control character for ${name}`,
        );
      return [name, bytesOf(schemeOf(given, name, value))];
    });
    return [...own, ...secret];
  }
}

function headerValues(text: string | undefined, connection: string): Readonly<Record<string, unknown>> {
  if (text === undefined) return {};
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === 'object' && value !== null && !Array.isArray(value))
      return Object.assign(Object.create(null), value);
  } catch {
    // Told below, without the text.
  }
  throw new SinkConfigError(`connection ${connection}: secrets.headers is no JSON object`);
}

// Operators paste the token of the HTTP Event Collector with or without its scheme.
function schemeOf({ transform }: WebhookSinkParams, name: string, value: string): string {
  const bare =
    transform === 'splunk_hec' && name.toLowerCase() === 'authorization' && !/\s/.test(value.trim());
  return bare ? `Splunk ${value.trim()}` : value;
}

// Field values are bytes (RFC 9110 section 5.5): text beyond ASCII travels as the bytes of its UTF-8 form.
function bytesOf(value: string): string {
  return Buffer.from(value.trim(), 'utf8').toString('latin1');
}

function idOfMany(parcels: readonly Parcel[]): string {
  const hash = createHash('sha256');
  for (const { id } of parcels) hash.update(`${id}\n`);
  return hash.digest('hex').slice(0, 32);
}
