// Configuration of the fault runs: one webhook, one mail and one HEC destination on this machine.
import { mailRule, rules } from './load.ts';

type Document = object;

const local = { host: '127.0.0.1', allow_cidrs: ['127.0.0.0/8'] };

export const hecToken = 'faults-token';

export function httpConnection(id: string, port: number, over: Document = {}): Document {
  return {
    kind: 'connection',
    id,
    type: 'http',
    protocol: 'http',
    allow_insecure: true,
    port,
    ...local,
    ...over,
  };
}

/** The webhook destination, its action and the rules that use it. */
export function webhookDocuments(port: number): Document[] {
  return [
    httpConnection('hook', port, { concurrency: 8 }),
    {
      kind: 'action',
      id: 'hook',
      type: 'webhook',
      connection: 'hook',
      params: { path: '/hook' },
      retry: { max_attempts: 20, initial_ms: 100, max_ms: 1000, factor: 2 },
    },
    ...rules,
  ];
}

export function mailConnection(port: number, over: Document = {}): Document {
  return {
    kind: 'connection',
    id: 'mail',
    type: 'smtp',
    security: 'none',
    from: 'tocsin@example.com',
    port,
    ...local,
    ...over,
  };
}

/** The mail destination: a send in doubt is held, never repeated. */
export function mailDocuments(port: number): Document[] {
  return [
    mailConnection(port),
    {
      kind: 'action',
      id: 'letter',
      type: 'email',
      connection: 'mail',
      on_uncertain: 'hold',
      params: { to: ['soc@example.com'], subject: '{{id}}', body: '{{data.title}}' },
      retry: { max_attempts: 20, initial_ms: 100, max_ms: 1000, factor: 2 },
    },
    mailRule,
  ];
}

export function sinkDocuments(port: number): Document[] {
  return [
    httpConnection('hec', port, { auth: { type: 'splunk' }, secrets: { token: { env: 'HEC_TOKEN' } } }),
    {
      kind: 'sink',
      id: 'siem',
      type: 'splunk-hec',
      connection: 'hec',
      topics: ['findings'],
      batch: { max_events: 50, linger_ms: 20, in_flight: 2 },
      params: {},
    },
  ];
}
