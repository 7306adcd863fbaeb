// The Elasticsearch and OpenSearch sink: manifest, frames, requests and verdicts put together.
import type { Issue } from '@tocsin/schemas/codecs/validate.ts';
import { type HttpSink, SinkConfigError } from '../../domain/sink/define-sink.ts';
import { gzipBody, judgeFailure } from '../../domain/sink/http-wire.ts';
import { overHttp } from '../../domain/sink/over-http.ts';
import { bulkFrame } from './frame.ts';
import { indexNameOf, parseField, parseIndexPattern } from './index-name.ts';
import { createJudge, judgeProbe } from './judge.ts';
import { defaultIndex, type ElasticsearchParams, manifest } from './manifest.ts';
import { bulkRequests } from './request.ts';

export const elasticsearch: HttpSink = {
  manifest,
  check(raw) {
    const params = raw as ElasticsearchParams;
    const issues: Issue[] = [];
    const pattern = parseIndexPattern(patternText(params));
    if ('error' in pattern) issues.push({ path: '/index', message: pattern.error });
    if (params.id_field !== undefined && parseField(params.id_field) === null)
      issues.push({ path: '/id_field', message: 'is no field: write [data][finding_id]' });
    if (params.version !== undefined && params.mode !== 'update')
      issues.push({ path: '/version', message: 'is for mode update only' });
    return issues;
  },
  open(raw, connection) {
    const params = raw as ElasticsearchParams;
    const pattern = parseIndexPattern(patternText(params));
    if ('error' in pattern) throw new SinkConfigError(`params: /index: ${pattern.error}`, 'params');
    const isFixed = !pattern.hasDate && !pattern.hasFields;
    return overHttp({
      maxEventBytes: params.max_event_bytes ?? 1_048_576,
      ...bulkFrame(params, pattern, isFixed),
      ...bulkRequests(params, isFixed ? indexNameOf(pattern, 0, null, '') : null, connection),
      ...(params.gzip === true ? { compress: gzipBody } : {}),
      judge: createJudge(params.mode === 'update' ? 'index' : 'create'),
      judgeFailure,
      judgeProbe,
    });
  },
};

function patternText({ index = defaultIndex, index_suffix }: ElasticsearchParams): string {
  return index_suffix === undefined ? index : `${index}-${index_suffix}`;
}
