// Parameters of actions that ask another system for something: over its topic, or over its HTTP API.
import type { Issue, JsonSchema } from '@tocsin/schemas/codecs/validate.ts';
import type { Connection } from '@tocsin/schemas/types.ts';
import { checkJsonTemplate } from '../../templates/json-template.ts';
import { maxHops } from '../hops.ts';
import type { Json } from '../outcome.ts';
import { checkPath } from '../path-template.ts';

export interface AskParams {
  readonly via?: 'topic' | 'http';
  readonly path?: string;
  readonly body?: Json;
  readonly max_hops?: number;
  /** Of types whose calls may have another method. */
  readonly method?: 'PATCH' | 'POST' | 'PUT';
  /** Of types whose answers have an id. */
  readonly id_at?: string;
}

/** `topic`: where the record goes; `path` and `body`: the defaults of the HTTP call, in words. */
export function askParams(topic: string, path: string, body: string): Record<string, JsonSchema> {
  return {
    via: {
      enum: ['topic', 'http'],
      default: 'topic',
      description: `topic: a record in ${topic}, for a system that reads it. http: a call of its API over the connection.`,
    },
    path: {
      type: 'string',
      minLength: 1,
      maxLength: 2048,
      default: path,
      description:
        'For http: path below the connection; a template that may name members of the record as {{request.<name>}}.',
    },
    body: {
      type: 'object',
      description: `For http: a JSON tree whose texts are templates, which may name {{request.<name>}}. Default: ${body}.`,
    },
    max_hops: {
      type: 'integer',
      minimum: 1,
      maximum: maxHops,
      default: maxHops,
      description:
        'At most so many actions may lie behind this one, itself included; 1: only for events that no action caused.',
    },
  };
}

/** JSON Schema of an id as a template, or a list of them. null is what a playbook makes of a value that is missing. */
export const idsParam = (description: string, maxItems: number): JsonSchema => ({
  type: ['string', 'integer', 'array', 'null'],
  minLength: 1,
  maxLength: 2048,
  maxItems,
  items: { type: ['string', 'integer', 'null'], minLength: 1, maxLength: 2048 },
  description,
});

/** JSON Schema of the asset, or assets, that an action is about. */
export const assetParam = idsParam(
  'Id of the asset, or a list; texts are templates, and one token may name a list. In mode all every row names its own. Without a value the command fails.',
  500,
);

/** JSON Schema of the place of an id in the answer. */
export const idAtParam: JsonSchema = {
  type: 'string',
  maxLength: 256,
  pattern: '^(/[^/]+)+$',
  description: 'For http: JSON Pointer of the id in the answer. An answer without it is no success.',
};

export const isHttp = (params: AskParams): boolean => params.via === 'http';

/** Problems of the shared parameters; `httpOnly` and `topicOnly` are those of the type that one way alone has. */
export function checkAsk(
  params: AskParams,
  own: { readonly httpOnly?: readonly string[]; readonly topicOnly?: readonly string[] } = {},
): Issue[] {
  const given = (name: string): boolean => (params as Readonly<Record<string, unknown>>)[name] !== undefined;
  const [names, way] = isHttp(params)
    ? [own.topicOnly ?? [], 'topic']
    : [['path', 'body', ...(own.httpOnly ?? [])], 'http'];
  return [
    ...names.filter(given).map((name) => ({ path: `/${name}`, message: `is for via ${way}` })),
    ...(params.path === undefined ? [] : checkPath(params.path, '/path')),
    ...(params.body === undefined ? [] : checkJsonTemplate(params.body, '/body')),
  ];
}

/** The way and the connection belong together: one that is named and not used is a mistake. */
export function checkAskConnection(params: AskParams, connection: Connection): Issue[] {
  if (connection.type !== 'http') return [{ path: '', message: 'needs an HTTP connection' }];
  return isHttp(params)
    ? []
    : [{ path: '/via', message: 'must be http for an action that has a connection' }];
}
