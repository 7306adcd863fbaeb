// Parameters of the PagerDuty action as a type, and the checks that its JSON Schema cannot express.
import type { Issue } from '@tocsin/schemas/codecs/validate.ts';
import type { Connection } from '@tocsin/schemas/types.ts';
import { checkNotice, type NoticeParams } from '../../domain/action/notice-params.ts';
import type { Json } from '../../domain/action/outcome.ts';
import { checkTemplate } from '../../domain/templates/check.ts';
import { checkJsonTemplate } from '../../domain/templates/json-template.ts';
import type { Level } from './severity.ts';

export interface PagerdutyParams extends NoticeParams {
  readonly event_action?: 'trigger' | 'acknowledge' | 'resolve';
  readonly dedup_key?: string;
  readonly summary?: string;
  readonly source?: string;
  readonly severity?: string;
  readonly severities?: Readonly<Record<string, Level>>;
  readonly default_severity?: Level;
  readonly component?: string;
  readonly group?: string;
  readonly class?: string;
  readonly custom_details?: { readonly [key: string]: Json };
  readonly images?: readonly { readonly src: string; readonly href?: string; readonly alt?: string }[];
  readonly client?: string;
  readonly client_url?: string;
}

const oneLine = [
  'dedup_key',
  'summary',
  'source',
  'severity',
  'component',
  'group',
  'class',
  'client',
  'client_url',
] as const;

/** Issues of schema-valid parameters. */
export function checkPagerduty(params: PagerdutyParams): Issue[] {
  const { event_action = 'trigger', dedup_key, custom_details, images = [] } = params;
  if (event_action !== 'trigger')
    return [
      ...(dedup_key === undefined
        ? [{ path: '/dedup_key', message: `is required for ${event_action}` }]
        : checkTemplate(dedup_key, 'header', '/dedup_key')),
      ...Object.keys(params)
        .filter((name) => name !== 'event_action' && name !== 'dedup_key')
        .map((name) => ({ path: `/${name}`, message: `cannot be set for ${event_action}` })),
    ];
  return [
    ...oneLine.flatMap((name) => checkTemplate(params[name], 'header', `/${name}`)),
    ...Object.keys(params.severities ?? {})
      .filter((word) => word !== word.trim().toLowerCase())
      .map((word) => ({ path: `/severities/${word}`, message: 'must be a word in lower case' })),
    ...(custom_details === undefined ? [] : checkJsonTemplate(custom_details, '/custom_details')),
    ...images.flatMap((image, index) => [
      ...checkTemplate(image.src, 'none', `/images/${index}/src`),
      ...(/^(https:\/\/|\{\{)/i.test(image.src)
        ? []
        : [{ path: `/images/${index}/src`, message: 'must be an https address' }]),
      ...checkTemplate(image.href, 'none', `/images/${index}/href`),
      ...checkTemplate(image.alt, 'header', `/images/${index}/alt`),
    ]),
    ...checkNotice(params),
  ];
}

export function checkPagerdutyConnection(connection: Connection): Issue[] {
  if (connection.type !== 'http') return [{ path: '', message: 'needs an HTTP connection' }];
  // The key travels in the body.
  if (connection.protocol === 'http') return [{ path: '', message: 'needs a connection over https' }];
  return connection.secrets?.['routing_key'] === undefined
    ? [{ path: '', message: 'needs a connection with secrets.routing_key, the integration key' }]
    : [];
}
