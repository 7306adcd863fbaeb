// What the answer to a bulk request means, item by item.
//
// Invariant: of an answer only types of errors and names of fields are repeated, never values of a document.
// Surprise: 200 says nothing yet; every document has a status of its own. A document that is there already (409) is done.
// Sources: OpenSearch and Elasticsearch bulk API; Logstash's elasticsearch output, common.rb.
import { parseJson } from '@tocsin/schemas/codecs/json.ts';
import { judgeHttp, notTheirs } from '../../domain/action/judge-http.ts';
import type { Failed, FailureCode, Outcome, Undelivered } from '../../domain/action/outcome.ts';
import type { HttpResponse } from '../../ports/http.ts';

export interface JudgeOptions {
  /** For people, without secrets. */
  readonly subject: string;
  /** Epoch ms. */
  readonly now: number;
  readonly documents: number;
}

interface ItemError {
  readonly status: number;
  readonly type: string;
  /** Name of a field that the reason names; '' without one. */
  readonly field: string;
}

export function judgeBulk(response: HttpResponse, options: JudgeOptions): Outcome {
  const { subject, documents } = options;
  const judged = judgeHttp(response, options);
  const parsed = parseJson(response.body);
  const body = parsed.ok ? parsed.value : null;
  if (judged.status === 'failed') {
    const error = errorOf(member(body, 'error'), response.status);
    // Without a type it came from something in between. A block comes as 403 as well, and is no refusal of our credentials.
    if (error.type === '' || (judged.retry !== 'never' && response.status !== 403)) return judged;
    return { ...failureOf(error, `${subject} answered`), status_code: response.status };
  }
  const errors = member(body, 'errors');
  const items = member(body, 'items');
  // A document may be there without our knowing; its id tells on the next attempt.
  if (response.truncated) return { ...notTheirs(response, subject, 'the search cluster'), retry: 'backoff' };
  if (errors === false) return done(documents, 0, []);
  if (errors !== true || !Array.isArray(items)) return notTheirs(response, subject, 'the search cluster');
  if (items.length !== documents)
    return { ...notTheirs(response, subject, 'the search cluster'), retry: 'backoff' };
  return judgeItems(items, options);
}

function judgeItems(items: readonly unknown[], { subject }: JudgeOptions): Outcome {
  const failures: { readonly row: number; readonly failure: Failed }[] = [];
  let there = 0;
  for (const [row, item] of items.entries()) {
    const [verb, result] = Object.entries((item ?? {}) as Record<string, unknown>)[0] ?? ['', null];
    const status = Number(member(result, 'status'));
    if (status >= 200 && status < 300) continue;
    const error = errorOf(member(result, 'error'), status);
    if (status === 409 && verb !== 'update') there += 1;
    else failures.push({ row, failure: failureOf(error, subject) });
  }
  const passing =
    failures.find(({ failure }) => failure.retry === 'pause') ??
    failures.find(({ failure }) => failure.retry !== 'never');
  // All go again: those that are there answer 409, or are written over with the same.
  if (passing !== undefined) return passing.failure;
  const first = failures[0];
  if (first === undefined) return done(items.length - there, there, []);
  if (failures.length === items.length) {
    const more = failures.length === 1 ? '' : `, and so for ${failures.length - 1} more`;
    return { ...first.failure, detail: `${first.failure.detail}${more}` };
  }
  const undelivered = failures.map(({ row, failure }) => ({
    to: `row ${row}`,
    code: failure.code,
    detail: `row ${row}: ${failure.detail}`.slice(0, 1024),
  }));
  return done(items.length - there - failures.length, there, undelivered);
}

function done(written: number, there: number, undelivered: readonly Undelivered[]): Outcome {
  return {
    status: 'done',
    output: {
      written,
      ...(there > 0 ? { already_there: there } : {}),
      ...(undelivered.length > 0 ? { refused: undelivered.length } : {}),
    },
    ...(undelivered.length === 0 ? {} : { warnings: undelivered.map(({ detail }) => detail), undelivered }),
  };
}

// Exceptions of both servers by their snake-case names.
const byType: Readonly<Record<string, readonly [FailureCode, Failed['retry']]>> = {
  mapper_parsing_exception: ['index_mapping', 'never'],
  document_parsing_exception: ['index_mapping', 'never'],
  strict_dynamic_mapping_exception: ['index_mapping', 'never'],
  index_not_found_exception: ['index_missing', 'never'],
  invalid_index_name_exception: ['index_name', 'never'],
  es_rejected_execution_exception: ['http_429', 'backoff'],
  rejected_execution_exception: ['http_429', 'backoff'],
  circuit_breaking_exception: ['http_429', 'backoff'],
  // A full disk or a closed gate: it passes, and the document is not to blame.
  cluster_block_exception: ['index_rejected', 'backoff'],
  version_conflict_engine_exception: ['index_rejected', 'backoff'],
  security_exception: ['http_401_403', 'pause'],
};

function failureOf({ status, type, field }: ItemError, subject: string): Failed {
  const known = Object.hasOwn(byType, type) ? byType[type] : undefined;
  const [code, retry] = known ?? byStatus(status);
  const detail = `${subject}: ${status} ${type === '' ? 'without a reason' : type}${field === '' ? '' : `, field ${field}`}`;
  return { status: 'failed', code, retry, detail };
}

function byStatus(status: number): readonly [FailureCode, Failed['retry']] {
  if (status === 429) return ['http_429', 'backoff'];
  if (status === 401 || status === 403) return ['http_401_403', 'pause'];
  if (status >= 500 && status < 600) return ['http_5xx', 'backoff'];
  return ['index_rejected', 'never'];
}

function errorOf(error: unknown, status: number): ItemError {
  const type = member(error, 'type');
  const reason = member(error, 'reason');
  // "failed to parse field [n] of type [integer] in document ..."; what follows may hold the value.
  const field =
    typeof reason === 'string' ? /^[a-z: -]{0,80}field \[([\w.@-]{1,128})\]/i.exec(reason)?.[1] : undefined;
  return {
    status,
    type: typeof type === 'string' && /^[a-z_]{1,100}$/.test(type) ? type : '',
    field: field ?? '',
  };
}

function member(value: unknown, name: string): unknown {
  return value !== null && typeof value === 'object' && Object.hasOwn(value, name)
    ? (value as Record<string, unknown>)[name]
    : undefined;
}
