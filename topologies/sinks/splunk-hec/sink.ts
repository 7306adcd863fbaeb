// The Splunk HTTP Event Collector sink: manifest, frames, requests and verdicts put together.
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import type { ResolvedConnection } from '../../domain/action/define-action.ts';
import type { HttpExchange, Params, Sink, SinkWire } from '../../domain/sink/define-sink.ts';
import { overHttp } from '../../domain/sink/over-http.ts';
import { hecFrame } from './frame.ts';
import { judge, judgeFailure, judgeProbe } from './judge.ts';
import { manifest, type SplunkHecParams } from './manifest.ts';
import { hecRequests } from './request.ts';

const compressBody = promisify<Buffer, { level: number }, Buffer>(gzip);

export const splunkHec = {
  manifest,
  check(params: Params) {
    const { path } = params as SplunkHecParams;
    if (path?.split('/').some((segment) => segment === '.' || segment === '..'))
      return [{ path: '/path', message: 'must be a plain path' }];
    if (path !== undefined && /\/raw(\/|$)/.test(path))
      return [{ path: '/path', message: 'must be the event endpoint: the raw endpoint takes no envelopes' }];
    return [];
  },
  open(raw: Params, connection: ResolvedConnection): HttpExchange & SinkWire {
    const params = raw as SplunkHecParams;
    return overHttp({
      maxEventBytes: params.max_event_bytes ?? 1_048_576,
      ...hecFrame(params),
      ...hecRequests(params, connection),
      ...(params.gzip === true ? { compress: (body: Buffer) => compressBody(body, { level: 1 }) } : {}),
      judge,
      judgeFailure,
      judgeProbe,
    });
  },
} satisfies Sink;
