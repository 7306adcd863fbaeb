// The webhook sink: manifest, parcels, requests and verdicts put together.
import { type Sink, SinkConfigError } from '../../domain/sink/define-sink.ts';
import { defaultAttempts, defaultPause, manifest, type WebhookSinkParams } from './manifest.ts';
import { checkWebhookSink, checkWebhookSinkConnection } from './params.ts';
import { deliveryId, pack, parcelBytes } from './parcel.ts';
import { webhookReceiver } from './receiver.ts';
import { webhookRequests } from './request.ts';
import { shapeOf } from './shapes.ts';

export const webhook: Sink = {
  manifest,
  check: (params) => checkWebhookSink(params as WebhookSinkParams),
  checkConnection: (params, connection) =>
    checkWebhookSinkConnection(params as WebhookSinkParams, connection),
  open(raw, connection) {
    const params = raw as WebhookSinkParams;
    const shape = shapeOf(params);
    const requests = webhookRequests(params, shape, connection);
    return {
      maxEventBytes: params.max_event_bytes ?? 1_048_576,
      overheadBytes: parcelBytes + shape.overheadBytes,
      ...(shape.singly ? { mostEvents: 1 } : {}),
      frame: (out, at, source, start, end, marks, batch, index) =>
        pack(out, at, deliveryId(source, marks, batch, index), batch, index, (from) =>
          shape.frame(out, from, source, start, end, marks, batch, index),
        ),
      receiver({ http }, context) {
        if (http === undefined) throw new SinkConfigError('this process has no HTTP client');
        const limits = {
          afterMs: params.pause_after_ms ?? defaultPause.afterMs,
          afterFailures: params.pause_after_failures ?? defaultPause.afterFailures,
          maxAttempts: params.max_attempts ?? defaultAttempts,
        };
        return webhookReceiver({ shape, requests, limits }, http, context);
      },
    };
  },
};
