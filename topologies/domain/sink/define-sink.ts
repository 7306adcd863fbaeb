// What a sink type is: a manifest (data), parameters compiled once, and pure functions from records to requests and from
// answers to verdicts. The runner (run/sink.ts) does the rest for all types.
import type { Issue, JsonSchema } from '@tocsin/schemas/codecs/validate.ts';
import type { HttpFailure, HttpRequest, HttpResponse } from '../../ports/http.ts';
import type { RecordBatch } from '../../ports/log.ts';
import type { ResolvedConnection } from '../action/define-action.ts';
import type { Marks } from './splice-check.ts';

export type Params = Readonly<Record<string, unknown>>;

export interface SinkManifest {
  /** Type id, as in SinkConfig.type. */
  readonly id: string;
  readonly title: string;
  readonly summary: string;
  readonly since: string;
  /** JSON Schema of the parameters, with descriptions, examples, defaults; unknown fields refused. */
  readonly params: JsonSchema;
  readonly examples: readonly { readonly title: string; readonly params: Params }[];
  readonly needs: readonly 'http'[];
  readonly connection: 'http';
}

/** What the answer to one request says about the events in it. Nothing in here ever means "drop". */
export type BatchVerdict =
  | {
      /** All events are stored. */
      readonly class: 'delivered';
      /** The receiver is near its capacity: fewer requests at a time. */
      readonly slowDown: boolean;
      /** How many of them were there before this request, by their ids; absent where the receiver does not tell. */
      readonly repeated?: number;
    }
  | {
      /** The receiver answers for each event. */
      readonly class: 'per-event';
      readonly code: string;
      readonly detail: string;
      /** Those that are not stored, by ascending index; all others are. */
      readonly events: readonly EventVerdict[];
      readonly slowDown: boolean;
      readonly repeated?: number;
    }
  | {
      /** Not now: the same bytes again, for ever. */
      readonly class: 'transient';
      readonly code: string;
      readonly detail: string;
      /** Wait that the receiver asked for, ms; null leaves it to the backoff. */
      readonly afterMs: number | null;
      readonly slowDown: boolean;
      /** Events from the start of the request that were stored all the same. */
      readonly accepted: number;
    }
  | {
      /** The sink itself is misconfigured or refused: pause, probe, lose nothing, dead-letter nothing. */
      readonly class: 'sink-fault';
      readonly code: string;
      readonly detail: string;
    }
  | {
      /** One event is refused. Without an index it is found by halving the request. */
      readonly class: 'event-fault';
      readonly code: string;
      readonly detail: string;
      /** Position in the request, from 0; null when the receiver does not say. */
      readonly index: number | null;
      /** The events before `index` were stored and must not be sent again. */
      readonly prefixStored: boolean;
    }
  | {
      /** The request is too large as a whole: halve it. */
      readonly class: 'too-large';
      readonly code: string;
      readonly detail: string;
    };

/** What the answer to one request says about one event in it. */
export interface EventVerdict {
  /** Position in the request, from 0. */
  readonly index: number;
  /** Send it again later; it is refused for good; the sink itself is refused. */
  readonly class: 'transient' | 'event-fault' | 'sink-fault';
  readonly code: string;
  readonly detail: string;
}

/** A sink type with its parameters and connection compiled in. */
export interface SinkWire {
  /** Largest value that is forwarded, bytes. */
  readonly maxEventBytes: number;
  /** Most bytes that `frame` adds to a value. */
  readonly overheadBytes: number;
  /**
   * Writes the event `source[start, end)`, which `checkObject` has accepted, into `out` from `at` and returns the position
   * after it. The room is there: end - start + overheadBytes. `marks` belong to these bytes; `index` is the record in `batch`.
   */
  frame(
    out: Buffer,
    at: number,
    source: Buffer,
    start: number,
    end: number,
    marks: Marks,
    batch: RecordBatch,
    index: number,
  ): number;
  /** Compresses a body off the main thread; absent when bodies go as they are. */
  readonly compress?: (body: Buffer) => Promise<Buffer>;
  /** The request that carries `body`, which holds whole frames. */
  request(body: Buffer): HttpRequest;
  /** Asks whether the receiver is there, without an event in it. */
  probe(): HttpRequest;
  /** The verdict on a response to `request` with `events` frames. `now` is epoch ms. */
  judge(response: HttpResponse, events: number, now: number): BatchVerdict;
  /** The verdict when no response came. */
  judgeFailure(failure: HttpFailure): BatchVerdict;
  /** True when it is worth trying a request again. */
  judgeProbe(response: HttpResponse): boolean;
}

/** Parameters or connection cannot be used; the message names the field and holds no secret. */
export class SinkConfigError extends Error {
  override readonly name = 'SinkConfigError';
}

export interface Sink {
  readonly manifest: SinkManifest;
  /** Checks beyond the JSON Schema. `params` already fits manifest.params. Paths are JSON Pointers into params. */
  check(params: Params): Issue[];
  /** Throws SinkConfigError. */
  open(params: Params, connection: ResolvedConnection): SinkWire;
}
