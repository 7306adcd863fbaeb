// The Splunk HTTP Event Collector sink: manifest, frames, requests and verdicts put together.
import type { HttpSink } from '../../domain/sink/define-sink.ts';
import { gzipBody, judgeFailure } from '../../domain/sink/http-wire.ts';
import { overHttp } from '../../domain/sink/over-http.ts';
import { hecFrame } from './frame.ts';
import { judge, judgeProbe } from './judge.ts';
import { manifest, type SplunkHecParams } from './manifest.ts';
import { hecRequests } from './request.ts';

export const splunkHec: HttpSink = {
  manifest,
  check(params) {
    const { path } = params as SplunkHecParams;
    if (path?.split('/').some((segment) => segment === '.' || segment === '..'))
      return [{ path: '/path', message: 'must be a plain path' }];
    if (path !== undefined && /\/raw(\/|$)/.test(path))
      return [{ path: '/path', message: 'must be the event endpoint: the raw endpoint takes no envelopes' }];
    return [];
  },
  open(raw, connection) {
    const params = raw as SplunkHecParams;
    return overHttp({
      maxEventBytes: params.max_event_bytes ?? 1_048_576,
      ...hecFrame(params),
      ...hecRequests(params, connection),
      ...(params.gzip === true ? { compress: gzipBody } : {}),
      judge,
      judgeFailure,
      judgeProbe,
    });
  },
};
