// The Splunk HTTP Event Collector sink: manifest, frames, requests and verdicts put together.
import type { Issue } from '@tocsin/schemas/codecs/validate.ts';
import type { AskOrigin, HttpSink, ReceiverContext } from '../../domain/sink/define-sink.ts';
import { gzipBody, judgeFailure } from '../../domain/sink/http-wire.ts';
import { overHttp } from '../../domain/sink/over-http.ts';
import { createAcks } from './acks.ts';
import { hecFrame, rawFrame } from './frame.ts';
import { judge, judgeProbe } from './judge.ts';
import { manifest, type SplunkHecParams } from './manifest.ts';
import { hecRequests } from './request.ts';

export const splunkHec: HttpSink = {
  manifest,
  check(raw) {
    const params = raw as SplunkHecParams;
    const { path, endpoint = 'event', ack } = params;
    const issues: Issue[] = [];
    if (path?.split('/').some((segment) => segment === '.' || segment === '..'))
      issues.push({ path: '/path', message: 'must be a plain path' });
    else if (path !== undefined && /\/raw(\/|$)/.test(path) && endpoint === 'event')
      issues.push({
        path: '/path',
        message: 'must be the event endpoint: the raw endpoint takes no envelopes; set endpoint to raw',
      });
    else if (path !== undefined && /\/event(\/|$)/.test(path) && endpoint === 'raw')
      issues.push({ path: '/path', message: 'must be the raw endpoint: the event endpoint takes no lines' });
    if (endpoint === 'raw')
      for (const name of ['time', 'track', 'fields'] as const)
        if (params[name] !== undefined)
          issues.push({ path: `/${name}`, message: 'is for the event endpoint: raw lines have no envelope' });
    if (ack !== true)
      for (const name of ['ack_poll_ms', 'ack_timeout_ms', 'ack_outstanding'] as const)
        if (params[name] !== undefined) issues.push({ path: `/${name}`, message: 'is for ack: true only' });
    return issues;
  },
  open(raw, connection) {
    const params = raw as SplunkHecParams;
    const requests = hecRequests(params, connection);
    return overHttp({
      maxEventBytes: params.max_event_bytes ?? 1_048_576,
      ...(params.endpoint === 'raw' ? rawFrame : hecFrame(params)),
      ...requests,
      ...(params.gzip === true ? { compress: gzipBody } : {}),
      ...(params.ack === true
        ? {
            receipts: (ask: AskOrigin, context: ReceiverContext) =>
              createAcks(ask, context, {
                pollMs: params.ack_poll_ms ?? 5_000,
                timeoutMs: params.ack_timeout_ms ?? 300_000,
                most: params.ack_outstanding ?? 1_000,
                request: requests.acks,
              }),
          }
        : {}),
      judge,
      judgeFailure,
      judgeProbe,
    });
  },
};
