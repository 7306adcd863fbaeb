// Writer schemas from a Confluent-compatible schema registry (GET /schemas/ids/{id}).
//
// Invariant: a registry that is down, slow, misconfigured or refuses our credentials never condemns a record: only its own word
// that it does not know an id, or a schema that is not Avro, is final.
// Surprise: @kafkajs/confluent-schema-registry is not used here: it has no timeout, no response limit and no memory of unknown
// ids, and hands out compiled schemas only (docs/decisions/0006-schema-registry.md). Its encoder is the judge in the tests.

import type { SchemaAnswer, SchemaSource } from '@tocsin/schemas/codecs/decode.ts';
import { parseJson } from '@tocsin/schemas/codecs/json.ts';
import type { Clock } from '@tocsin/topologies/ports/clock.ts';
import { Agent, request } from 'undici';
import { inlineReferences } from './inline-references.ts';

export interface SchemaRegistrySettings {
  /** Base URL such as http://registry:8081 or https://host/apis/ccompat/v7. */
  readonly url: string;
  readonly username?: string;
  readonly password?: string;
  /** Total time of one lookup, ms; default 5,000. */
  readonly timeoutMs?: number;
  /** Bytes of one answer; default 1 MiB. */
  readonly maxResponseBytes?: number;
  /** How long an unknown id is not asked for again, ms; default 60,000. */
  readonly unknownForMs?: number;
}

export interface SchemaRegistry extends SchemaSource {
  close(): Promise<void>;
}

const maxReferences = 32;
const maxUnknown = 10_000;

type Found = { readonly ok: true; readonly body: Record<string, unknown> };
type Failed = Extract<SchemaAnswer, { ok: false }>;

/** Known schemas are kept for the life of the process: an id never changes its meaning. */
export function createSchemaRegistry(
  settings: SchemaRegistrySettings,
  clock: Pick<Clock, 'now'>,
): SchemaRegistry {
  const { timeoutMs = 5_000, maxResponseBytes = 1_048_576, unknownForMs = 60_000 } = settings;
  const { base, authorization } = target(settings);
  const agent = new Agent({
    connections: 2,
    maxResponseSize: maxResponseBytes,
    connect: { timeout: timeoutMs },
  });
  const known = new Map<number, SchemaAnswer>();
  const unknown = new Map<number, { readonly until: number; readonly answer: SchemaAnswer }>();
  const inFlight = new Map<number, Promise<SchemaAnswer>>();

  async function get(path: string, signal: AbortSignal): Promise<Found | Failed> {
    try {
      const response = await request(`${base}${path}`, {
        dispatcher: agent,
        signal,
        headers: {
          accept: 'application/vnd.schemaregistry.v1+json, application/json',
          ...(authorization === null ? {} : { authorization }),
        },
      });
      const bytes = new Uint8Array(await response.body.arrayBuffer());
      return judge(response.statusCode, bytes, maxResponseBytes);
    } catch (error) {
      return failureOf(error, timeoutMs, maxResponseBytes);
    }
  }

  async function lookUp(id: number): Promise<SchemaAnswer> {
    const signal = AbortSignal.timeout(timeoutMs);
    const found = await get(`/schemas/ids/${id}`, signal);
    if (!found.ok) return found;
    const { schema, schemaType = 'AVRO', references = [] } = found.body;
    if (schemaType !== 'AVRO')
      return failed('schema_type', `schema ${id} is ${String(schemaType).slice(0, 20)}, not AVRO`);
    if (typeof schema !== 'string' || !Array.isArray(references))
      return failed('registry_unavailable', 'the answer is not one of a schema registry');
    if (references.length === 0) return { ok: true, schema };
    return withReferences(id, schema, references, signal);
  }

  async function withReferences(
    id: number,
    schema: string,
    references: unknown[],
    signal: AbortSignal,
  ): Promise<SchemaAnswer> {
    const texts: string[] = [];
    const asked = new Set<string>();
    const open = [...references];
    for (let next = open.shift(); next !== undefined; next = open.shift()) {
      const { subject, version } = next as { subject?: unknown; version?: unknown };
      const path = `/subjects/${encodeURIComponent(String(subject))}/versions/${encodeURIComponent(String(version))}`;
      if (asked.has(path)) continue;
      asked.add(path);
      if (asked.size > maxReferences)
        return failed('schema_type', `schema ${id} refers to more than ${maxReferences} schemas`);
      const found = await get(path, signal);
      if (!found.ok)
        return found.reason === 'schema_unknown'
          ? failed('schema_type', `schema ${id} refers to a schema that is missing`)
          : found;
      texts.push(String(found.body['schema']));
      if (Array.isArray(found.body['references'])) open.push(...(found.body['references'] as unknown[]));
    }
    const whole = inlineReferences(schema, texts);
    return whole === null
      ? failed('schema_type', `schema ${id} is not an Avro schema`)
      : { ok: true, schema: whole };
  }

  function remember(id: number, answer: SchemaAnswer): SchemaAnswer {
    if (answer.ok || answer.reason === 'schema_type') known.set(id, answer);
    else if (answer.reason === 'schema_unknown') {
      if (unknown.size >= maxUnknown) unknown.delete(unknown.keys().next().value as number);
      unknown.set(id, { until: clock.now() + unknownForMs, answer });
    }
    return answer;
  }

  return {
    schemaById(id) {
      if (!Number.isInteger(id) || id < 0 || id > 0x7fffffff)
        return Promise.resolve(failed('schema_unknown', `schema id ${id}`));
      const before = known.get(id);
      if (before !== undefined) return Promise.resolve(before);
      const not = unknown.get(id);
      if (not !== undefined && clock.now() < not.until) return Promise.resolve(not.answer);
      unknown.delete(id);
      let asking = inFlight.get(id);
      if (asking === undefined) {
        asking = lookUp(id)
          .then((answer) => remember(id, answer))
          .finally(() => inFlight.delete(id));
        inFlight.set(id, asking);
      }
      return asking;
    },
    close: () => agent.destroy(),
  };
}

function target(settings: SchemaRegistrySettings): { base: string; authorization: string | null } {
  const url = new URL(settings.url);
  const username = settings.username ?? decodeURIComponent(url.username);
  const password = settings.password ?? decodeURIComponent(url.password);
  const authorization =
    username === '' ? null : `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`;
  return { base: `${url.origin}${url.pathname.replace(/\/+$/, '')}`, authorization };
}

function judge(status: number, bytes: Uint8Array, maxBytes: number): Found | Failed {
  const parsed = parseJson(bytes, { maxBytes, maxKeyBytes: maxBytes });
  if (status === 200)
    return parsed.ok
      ? { ok: true, body: parsed.value }
      : failed('registry_unavailable', `the answer is not JSON (${parsed.reason})`);
  // A proxy, or a wrong path in the URL, answers 404 too; only the registry adds its code (Confluent API: 40401 to 40403).
  if (status === 404 && parsed.ok && /^404\d\d$/.test(String(parsed.value['error_code'])))
    return failed('schema_unknown', 'the registry does not know the schema');
  return failed('registry_unavailable', `HTTP status ${status}`);
}

function failureOf(error: unknown, timeoutMs: number, maxBytes: number): Failed {
  const { name, code } = error as { name?: string; code?: string };
  if (code === 'UND_ERR_RES_EXCEEDED_MAX_SIZE')
    return failed('schema_type', `the answer is above ${maxBytes} bytes`);
  if (name === 'TimeoutError') return failed('registry_unavailable', `no answer within ${timeoutMs} ms`);
  return failed('registry_unavailable', code ?? name ?? 'request failed');
}

function failed(reason: Failed['reason'], detail: string): Failed {
  return { ok: false, reason, detail };
}
