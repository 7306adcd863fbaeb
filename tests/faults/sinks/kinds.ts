// The three kinds of receiver that the sinks are proved on, and the documents of a sink for each.
import { httpConnection } from '../documents.ts';

export const kinds = ['hec', 'bulk', 'syslog'] as const;
export type Kind = (typeof kinds)[number];

/** Token of HEC and key of _bulk; the environment variable that services read it from is SINK_SECRET. */
export const secret = 'proofs-secret';
export const index = 's4e-proofs';
/** HEC refuses larger events. */
export const maxEventBytes = 4_000;

/** Batches of a sink: events in one of them, and how many are without their proof at most. */
export const limits: Readonly<Record<Kind, { readonly events: number; readonly inFlight: number }>> = {
  hec: { events: 250, inFlight: 4 },
  bulk: { events: 250, inFlight: 4 },
  syslog: { events: 100, inFlight: 10 },
};

/** Events on their way at one moment, at most: what one lost answer of each, or one kill of the receiver, can repeat. */
export const onTheirWay = (kind: Kind): number => limits[kind].events * limits[kind].inFlight;

const types = { hec: 'splunk-hec', bulk: 'elasticsearch', syslog: 'syslog' } as const;
const params = { hec: { index }, bulk: { index }, syslog: { proof_ms: 1_000 } };

export interface Changes {
  readonly params?: object;
  readonly connection?: object;
  readonly enabled?: boolean;
}

/** Connection and sink `id`, which reads what is written from `since` (RFC 3339) on. */
export function sinkDocumentsOf(
  kind: Kind,
  id: string,
  port: number,
  since: string,
  changes: Changes = {},
): object[] {
  const { events, inFlight } = limits[kind];
  const connection =
    kind === 'syslog'
      ? {
          kind: 'connection',
          id,
          type: 'syslog',
          host: '127.0.0.1',
          allow_cidrs: ['127.0.0.0/8'],
          port,
          protocol: 'tcp',
        }
      : httpConnection(id, port, {
          ...(kind === 'hec' ? { auth: { type: 'splunk' } } : {}),
          secrets: { token: { env: 'SINK_SECRET' } },
        });
  return [
    { ...connection, ...changes.connection },
    {
      kind: 'sink',
      id,
      type: types[kind],
      connection: id,
      topics: ['findings'],
      since,
      enabled: changes.enabled ?? true,
      batch: { max_events: events, linger_ms: 20, in_flight: inFlight },
      params: { ...params[kind], ...changes.params },
    },
  ];
}
