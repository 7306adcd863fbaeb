// The metrics of the event stream, declared once.
import type { MetricDeclaration } from '../../metrics.ts';

export const streamMetrics: readonly MetricDeclaration[] = [
  {
    name: 'tocsin_stream_clients',
    kind: 'gauge',
    help: 'Connections to the event stream.',
    labels: [],
  },
  {
    name: 'tocsin_stream_events_total',
    kind: 'counter',
    help: 'Events sent to clients of the event stream.',
    labels: [],
  },
  {
    name: 'tocsin_stream_bytes_total',
    kind: 'counter',
    help: 'Bytes written to clients of the event stream, heartbeats included.',
    labels: [],
  },
  {
    name: 'tocsin_stream_closes_total',
    kind: 'counter',
    help: 'Ends of connections: gone (the client left), lagging (it took nothing), key (revoked, expired or not to be checked), shutdown, log (the log cannot be read).',
    labels: ['reason'],
  },
  {
    name: 'tocsin_stream_catch_ups_total',
    kind: 'counter',
    help: 'Reads of the log for single clients whose events are no longer in memory.',
    labels: [],
  },
  {
    name: 'tocsin_stream_gaps_total',
    kind: 'counter',
    help: 'Gap messages sent, by reason.',
    labels: ['reason'],
  },
  {
    name: 'tocsin_stream_skipped_total',
    kind: 'counter',
    help: 'Records that are not sent: no JSON, framed (Avro), no event, tombstones, sent again for another service (elsewhere); by reader, live or catch-up.',
    labels: ['reader', 'reason'],
  },
  {
    name: 'tocsin_stream_buffer_bytes',
    kind: 'gauge',
    help: 'Bytes of the newest events, held once for all clients.',
    labels: [],
  },
];
