// The transforms: what a payload looks like, where it goes, how many events a request takes, and what its answer means.
//
// Invariant: an event is never parsed and written anew: numbers, key order and text are those of the producer. What a transform adds
// stands around it, or in front of its members.
import { judgeHttp } from '../../domain/action/judge-http.ts';
import { type BatchVerdict, SinkConfigError, type SinkFrames } from '../../domain/sink/define-sink.ts';
import type { HttpResponse } from '../../ports/http.ts';
import { bulkFrame } from '../elasticsearch/frame.ts';
import { parseIndexPattern } from '../elasticsearch/index-name.ts';
import { createJudge } from '../elasticsearch/judge.ts';
import { defaultIndex } from '../elasticsearch/manifest.ts';
import { hecFrame } from '../splunk-hec/frame.ts';
import { judge as judgeHec } from '../splunk-hec/judge.ts';
import type { WebhookSinkParams } from './manifest.ts';
import { deliveryId, type Parcel } from './parcel.ts';

export interface Shape extends Pick<SinkFrames, 'frame' | 'overheadBytes'> {
  readonly contentType: string;
  /** One event to a request. */
  readonly singly: boolean;
  /** What this payload needs of the request. */
  request(payload: Buffer): { readonly path: string; readonly body: Buffer };
  judge(response: HttpResponse, events: number, now: number): BatchVerdict;
}

const defaultHecPath = '/services/collector/event';
const idBytes = 64 + 9;

/** The form of Elasticsearch that a path asks for; null where it is neither. */
export function elasticsearchForm(path: string): 'doc' | 'bulk' | null {
  if (/\/[^/]+\/_doc\/?$/.test(path)) return 'doc';
  return /\/_bulk\/?$/.test(path) ? 'bulk' : null;
}

/** The shape of checked parameters. Throws SinkConfigError. */
export function shapeOf(params: WebhookSinkParams): Shape {
  const path = params.path ?? '/';
  if (params.transform === 'splunk_hec') return hecShape(params, path === '/' ? defaultHecPath : path);
  if (params.transform === 'elasticsearch')
    return elasticsearchForm(path) === 'doc' ? documentShape(params, path) : bulkShape(params, path);
  return plainShape(params, path);
}

function plainShape(params: WebhookSinkParams, path: string): Shape {
  return {
    contentType: 'application/json',
    singly: true,
    overheadBytes: idBytes,
    frame(out, start, source, from, to, marks, batch, index) {
      let first = from;
      while (source[first] !== 0x7b) first++;
      let at = start;
      // Every payload has an id, so that receivers may drop what they have.
      if (marks.idStart < 0 && !hasId(source, from, to)) {
        at += out.write(`{"id":"${deliveryId(source, marks, batch, index)}"`, at, 'latin1');
        first++;
        let next = first;
        while (source[next]! <= 0x20) next++;
        if (source[next] !== 0x7d) out[at++] = 0x2c;
      }
      source.copy(out, at, first, to);
      return at + to - first;
    },
    request: (body) => ({ path, body }),
    judge: (response, _events, now) => judgeOne(response, now, params),
  };
}

// A member id that is no text has no mark.
function hasId(source: Buffer, from: number, to: number): boolean {
  return Object.hasOwn(JSON.parse(source.toString('utf8', from, to)) as object, 'id');
}

function hecShape({ splunk = {} }: WebhookSinkParams, path: string): Shape {
  return {
    contentType: 'application/json',
    singly: false,
    ...hecFrame(splunk),
    request: (body) => ({ path, body }),
    judge: judgeHec,
  };
}

function bulkShape({ elasticsearch = {} }: WebhookSinkParams, path: string): Shape {
  const inPath = !/^\/_bulk\/?$/.test(path);
  return {
    // With a charset Elasticsearch answers 406 (elastic/elasticsearch#61637).
    contentType: 'application/x-ndjson',
    singly: false,
    ...bulkFrame({}, patternOf(elasticsearch.index ?? defaultIndex), inPath),
    request: (body) => ({ path, body }),
    judge: createJudge('create'),
  };
}

/** `PUT /<index>/_create/<id>` in place of `POST /<index>/_doc`, so that the same event twice is one document; data streams take it too. */
function documentShape(params: WebhookSinkParams, path: string): Shape {
  const frames = bulkFrame({}, patternOf(defaultIndex), true);
  return {
    contentType: 'application/json',
    singly: true,
    ...frames,
    request(payload) {
      const line = payload.indexOf(0x0a);
      const { create } = JSON.parse(payload.toString('utf8', 0, line)) as { create: { _id: string } };
      return {
        path: path.replace(/_doc\/?$/, `_create/${encodeURIComponent(create._id)}`),
        body: payload.subarray(line + 1, payload.length - 1),
      };
    },
    judge(response, events, now) {
      // It is there already: RFC 9110 section 15.5.10, version_conflict_engine_exception.
      if (response.status === 409) return { class: 'delivered', slowDown: false, repeated: events };
      return judgeOne(response, now, params);
    },
  };
}

function patternOf(index: string) {
  const pattern = parseIndexPattern(index);
  if ('error' in pattern) throw new SinkConfigError(`params: /elasticsearch/index: ${pattern.error}`);
  return pattern;
}

const busy: ReadonlySet<number> = new Set([429, 502, 503, 504]);

/**
 * The verdict on a request with one event. Success is 2xx and nothing else; 400 and 422 refuse the event, 413 too, and 404 where the
 * parameters say so; other 3xx and 4xx refuse the sink.
 */
export function judgeOne(response: HttpResponse, now: number, params: WebhookSinkParams): BatchVerdict {
  const { status } = response;
  const outcome = judgeHttp(response, { subject: 'the receiver', now });
  if (outcome.status === 'done') return { class: 'delivered', slowDown: false };
  const code = outcome.code === 'http_4xx' || outcome.code === 'http_5xx' ? `http_${status}` : outcome.code;
  const { detail, retry } = outcome;
  if (status === 413) return { class: 'too-large', code, detail };
  if (status === 400 || status === 422 || (status === 404 && params.not_found === 'dead_letter'))
    return { class: 'event-fault', code, detail, index: 0, prefixStored: false };
  if (retry === 'never' || retry === 'pause') return { class: 'sink-fault', code, detail };
  return {
    class: 'transient',
    code,
    detail,
    afterMs: typeof retry === 'object' ? retry.afterMs : null,
    slowDown: busy.has(status),
    accepted: 0,
  };
}

/** One body of several payloads. A view where there is one. */
export function joined(parcels: readonly Parcel[]): Buffer {
  const [only] = parcels;
  return parcels.length === 1 && only !== undefined
    ? only.payload
    : Buffer.concat(parcels.map(({ payload }) => payload));
}
