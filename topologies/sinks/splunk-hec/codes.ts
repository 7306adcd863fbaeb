// Reply codes of the HTTP Event Collector and what each means for us.
//
// Sources: Splunk docs "Troubleshoot HTTP Event Collector", table of possible error codes (codes 0 to 27, Splunk 9.3).
// Code 7 is about one event there, but every event of a sink carries the same index: it is the sink's setting that is wrong.

export type HecMeaning =
  | 'delivered'
  | 'delivered-slow'
  | 'transient'
  | 'transient-slow'
  | 'sink-fault'
  | 'event-fault';

export interface HecCode {
  readonly status: number;
  readonly text: string;
  readonly means: HecMeaning;
}

export const hecCodes: Readonly<Record<number, HecCode>> = {
  0: { status: 200, text: 'Success', means: 'delivered' },
  1: { status: 403, text: 'Token disabled', means: 'sink-fault' },
  2: { status: 401, text: 'Token is required', means: 'sink-fault' },
  3: { status: 401, text: 'Invalid authorization', means: 'sink-fault' },
  4: { status: 403, text: 'Invalid token', means: 'sink-fault' },
  5: { status: 400, text: 'No data', means: 'sink-fault' },
  6: { status: 400, text: 'Invalid data format', means: 'event-fault' },
  7: { status: 400, text: 'Incorrect index', means: 'sink-fault' },
  8: { status: 500, text: 'Internal server error', means: 'transient' },
  9: { status: 503, text: 'Server is busy', means: 'transient-slow' },
  10: { status: 400, text: 'Data channel is missing', means: 'sink-fault' },
  11: { status: 400, text: 'Invalid data channel', means: 'sink-fault' },
  12: { status: 400, text: 'Event field is required', means: 'event-fault' },
  13: { status: 400, text: 'Event field cannot be blank', means: 'event-fault' },
  14: { status: 400, text: 'ACK is disabled', means: 'sink-fault' },
  15: { status: 400, text: 'Error in handling indexed fields', means: 'event-fault' },
  16: { status: 400, text: 'Query string authorization is not enabled', means: 'sink-fault' },
  // The health endpoint's "HEC is healthy"; as the answer to events it does not say that they were stored.
  17: { status: 200, text: 'HEC is healthy', means: 'transient' },
  18: { status: 503, text: 'HEC is unhealthy, queues are full', means: 'transient-slow' },
  19: { status: 503, text: 'HEC is unhealthy, ack service unavailable', means: 'transient-slow' },
  20: {
    status: 503,
    text: 'HEC is unhealthy, queues are full, ack service unavailable',
    means: 'transient-slow',
  },
  21: { status: 400, text: 'Invalid token', means: 'sink-fault' },
  22: { status: 400, text: 'Token disabled', means: 'sink-fault' },
  23: { status: 503, text: 'Server is shutting down', means: 'transient' },
  24: { status: 200, text: 'HEC queue is approaching capacity', means: 'delivered-slow' },
  25: { status: 200, text: 'HEC ack channel is approaching capacity', means: 'delivered-slow' },
  26: { status: 429, text: 'HEC queue is at capacity', means: 'transient-slow' },
  27: { status: 429, text: 'HEC ack channel is at capacity', means: 'transient-slow' },
};
