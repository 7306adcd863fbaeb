// What the status of one item, and the type of its error, means for that event.
//
// Sources: Elasticsearch Guide "Bulk API" and Logstash's elasticsearch output (common.rb), which retries everything but 400, 404 and
// 409; answers of OpenSearch 2.19 (fixtures/answers.json). Unlike Logstash a 404 is not the event's fault: the index is missing.
import type { EventVerdict } from '../../domain/sink/define-sink.ts';

export type ItemMeaning = 'stored' | 'repeated' | EventVerdict['class'];

/** Errors with status 400 that every event would meet: the setting is wrong and not the event. */
const settingErrors: ReadonlySet<string> = new Set([
  'index_closed_exception',
  'invalid_alias_name_exception',
  'resource_already_exists_exception',
]);

export function itemMeaning(status: number, type: string): ItemMeaning {
  if (status >= 200 && status < 300) return 'stored';
  // Of a create: it is there. Of an index with an external version: a newer one is there.
  if (status === 409 && type === 'version_conflict_engine_exception') return 'repeated';
  if (status === 408 || status === 409 || status === 429 || status >= 500) return 'transient';
  // 403 is also the block of a full disk (cluster_block_exception), 404 a missing index where none is made on demand.
  if (status === 401 || status === 403 || status === 404) return 'sink-fault';
  if (settingErrors.has(type) || status < 400) return 'sink-fault';
  return 'event-fault';
}

/** Errors of a whole request that one event in it may have caused; it is looked for by halving. */
export const requestErrorsOfAnEvent: ReadonlySet<string> = new Set([
  'action_request_validation_exception',
  'parse_exception',
  'parsing_exception',
  'json_parse_exception',
  'x_content_parse_exception',
]);
