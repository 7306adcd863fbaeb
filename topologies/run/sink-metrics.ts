// The metrics of the sink runner, declared once.
import type { MetricDeclaration } from '../metrics.ts';

export const sinkMetrics: readonly MetricDeclaration[] = [
  {
    name: 'tocsin_sink_events_total',
    kind: 'counter',
    help: 'Records by outcome: delivered, filtered, tombstone, dead_letter, elsewhere (sent again from a dead letter of another service); resent counts events sent again because the receiver may not have them, repeated those that the receiver had already, cut those that were shortened to fit their format.',
    labels: ['sink', 'outcome'],
  },
  {
    name: 'tocsin_sink_bytes_total',
    kind: 'counter',
    help: 'Body bytes of delivered requests, before compression.',
    labels: ['sink'],
  },
  {
    name: 'tocsin_sink_requests_total',
    kind: 'counter',
    help: 'Requests by class of the answer: delivered, per-event, transient, sink-fault, event-fault, too-large.',
    labels: ['sink', 'class'],
  },
  {
    name: 'tocsin_sink_in_flight',
    kind: 'gauge',
    help: 'Batches being delivered, retries included.',
    labels: ['sink'],
  },
  {
    name: 'tocsin_sink_concurrency_limit',
    kind: 'gauge',
    help: 'Most requests at a time now: between batch.min_in_flight and batch.in_flight, halved when the receiver is overloaded.',
    labels: ['sink'],
  },
  {
    name: 'tocsin_sink_unacknowledged',
    kind: 'gauge',
    help: 'Events that the receiver has taken and not yet proved to be stored; their offsets are not committed.',
    labels: ['sink'],
  },
  {
    name: 'tocsin_sink_endpoint_up',
    kind: 'gauge',
    help: '0 while one of several hosts of the receiver is down.',
    labels: ['sink', 'endpoint'],
  },
  {
    name: 'tocsin_sink_paused',
    kind: 'gauge',
    help: '1 while the receiver refuses the sink as a whole.',
    labels: ['sink'],
  },
  {
    name: 'tocsin_sink_request_seconds',
    kind: 'histogram',
    help: 'Time from request to answer.',
    labels: ['sink'],
    buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30],
  },
  {
    name: 'tocsin_sink_oldest_uncommitted_seconds',
    kind: 'gauge',
    help: 'Age of the oldest record that waits for its delivery.',
    labels: ['sink'],
  },
];
