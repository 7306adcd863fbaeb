// What a sink type is: a manifest (data), parameters compiled once, pure functions from records to frames, and a receiver that
// takes bodies of frames and says what became of them. The runner (run/sink.ts) does the rest for all types.
import type { Issue, JsonSchema } from '@tocsin/schemas/codecs/validate.ts';
import type { Connection } from '@tocsin/schemas/types.ts';
import type { Clock, Random } from '../../ports/clock.ts';
import type { HttpFailure, HttpPort, HttpRequest, HttpResponse } from '../../ports/http.ts';
import type { RecordBatch } from '../../ports/log.ts';
import type { SyslogPort } from '../../ports/syslog.ts';
import type { ResolvedConnection } from '../action/define-action.ts';
import type { BatchLimits } from './batch.ts';
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
  readonly needs: readonly (keyof SinkPorts)[];
  readonly connection: 'http' | 'syslog';
  /** Limits of a batch where a sink of this type needs others than all have. */
  readonly batch?: Partial<BatchLimits>;
}

export interface SinkPorts {
  readonly http: HttpPort;
  readonly syslog: SyslogPort;
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
      /** Taken, but not yet proved to be stored. */
      readonly receipt?: Receipt;
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
      /** Of those that were accepted. */
      readonly receipt?: Receipt;
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
      /** Of those before `index`. */
      readonly receipt?: Receipt;
    }
  | {
      /** The request is too large as a whole: halve it. */
      readonly class: 'too-large';
      readonly code: string;
      readonly detail: string;
    };

/**
 * The proof that comes after the answer: true once the events are stored for good, false when they have to be read from the log
 * and sent again. Never rejects. Their bytes are not kept meanwhile.
 */
export type Receipt = Promise<boolean>;

/** What the answer to one request says about one event in it. */
export interface EventVerdict {
  /** Position in the request, from 0. */
  readonly index: number;
  /** Send it again later; it is refused for good; the sink itself is refused. */
  readonly class: 'transient' | 'event-fault' | 'sink-fault';
  readonly code: string;
  readonly detail: string;
}

/** Where records came from: what frames may say of them. A RecordBatch is one. */
export type Origins = Pick<RecordBatch, 'topic' | 'partition' | 'offset' | 'timestamp'>;

/** How events become frames, with the parameters compiled in. */
export interface SinkFrames {
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
    batch: Origins,
    index: number,
  ): number;
}

/** Where bodies of frames go. One for all batches of a sink. */
export interface SinkReceiver {
  /** Delivers `body`, `events` whole frames that stay as they are until this resolves. Rejects for defects only. */
  send(body: Buffer, events: number): Promise<BatchVerdict>;
  /** Asks, without an event, whether it is worth trying again after a sink fault. */
  probe(): Promise<boolean>;
  /** Somebody waits for what is on its way: a receiver that proves deliveries now and then does it now. */
  hurry?(): void;
  /** Gives up what is on its way and lets go of what is open. */
  close?(): void;
}

/** What a receiver uses of the process that it runs in. */
export interface ReceiverContext {
  readonly clock: Clock;
  readonly random: Random;
  /** The sink stops. */
  readonly signal: AbortSignal;
  /** Most batches that are being delivered at a time. */
  readonly inFlight: number;
  /** One of several hosts of the destination is up or down; `origin` as in a URL. */
  readonly onEndpoint?: (origin: string, up: boolean) => void;
  /** Events that go out again although the receiver may have them. */
  readonly onResent: (events: number) => void;
  /** One request was answered, or was not; from receivers that keep a log of their deliveries. */
  readonly onDelivery?: (note: DeliveryNote) => void;
  /** A receiver that tries again by itself does so now. */
  readonly onRetry: (why: {
    readonly code: string;
    readonly detail: string;
    readonly events: number;
  }) => void;
}

/** What became of one request. */
export interface DeliveryNote {
  /** When it began, epoch ms. */
  readonly at: number;
  /** Of the first event, and where its record is. */
  readonly eventId: string;
  readonly source: { readonly topic: string; readonly partition: number; readonly offset: number };
  readonly events: number;
  readonly attempt: number;
  readonly status: 'delivered' | 'retrying' | 'refused' | 'paused';
  readonly statusCode?: number;
  readonly code?: string;
  readonly detail?: string;
  readonly latencyMs: number;
  /** Text for people, without secrets. */
  readonly response?: string;
  /** What was sent of the event; valid during the call only. */
  readonly payload?: Buffer;
}

/** A sink type with its parameters and connection compiled in. */
export interface SinkWire extends SinkFrames {
  /** Most events in one body, where that is fewer than the limits of the document. */
  readonly mostEvents?: number;
  receiver(ports: Partial<SinkPorts>, context: ReceiverContext): SinkReceiver;
}

/** What a sink over HTTP says about its requests and answers; `overHttp` makes a SinkWire of it. */
export interface HttpExchange extends SinkFrames {
  /** Compresses a body off the main thread; absent when bodies go as they are. */
  readonly compress?: (body: Buffer) => Promise<Buffer>;
  /** All origins of the destination, the one that requests are made for first; absent when there is one. */
  readonly origins?: readonly string[];
  /** Proofs of delivery at one origin, for receivers that give them after their answers; absent when the answer is the proof. */
  readonly receipts?: (ask: AskOrigin, context: ReceiverContext) => Receipts;
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

/** Sends a request to one origin of the destination, whichever its URL was made for. Rejects with HttpFailure. */
export type AskOrigin = (request: HttpRequest) => Promise<HttpResponse>;

/** Proofs of delivery of one origin. */
export interface Receipts {
  /** Waits until one more request may be without its proof; null when the sink stops. */
  begin(): Promise<ReceiptAttempt | null>;
  /** Asks, without an event, whether proofs are to be had. */
  probe(): Promise<boolean>;
  /** Asks for proofs now. */
  hurry(): void;
  close(): void;
}

/** One request on its way; exactly one of the two methods is called. */
export interface ReceiptAttempt {
  /** Headers beyond those of the request. */
  readonly headers: readonly (readonly [string, string])[];
  /** The verdict with its receipt, or what the verdict becomes without one. */
  answered(response: HttpResponse, verdict: BatchVerdict): BatchVerdict;
  failed(failure: HttpFailure): void;
}

/** What a sink may know of the process when it is opened. */
export interface SinkHost {
  /** Name of this machine. */
  readonly name: string;
  /** An event was shortened to fit the format. */
  readonly onCut: () => void;
}

/** Parameters or connection cannot be used; the message names the field and holds no secret. */
export class SinkConfigError extends Error {
  override readonly name = 'SinkConfigError';
  /** What is to be mended. */
  readonly about: 'params' | 'connection' | 'secret';
  constructor(message: string, about: SinkConfigError['about'] = 'connection') {
    super(message);
    this.about = about;
  }
}

export interface Sink {
  readonly manifest: SinkManifest;
  /** Checks beyond the JSON Schema. `params` already fits manifest.params. Paths are JSON Pointers into params. */
  check(params: Params): Issue[];
  /** Contradictions between parameters and connection. */
  checkConnection?(params: Params, connection: Connection): Issue[];
  /** Throws SinkConfigError. */
  open(params: Params, connection: ResolvedConnection, host: SinkHost): SinkWire;
}

/** A sink over HTTP, whose requests and verdicts can be asked for without sending anything. */
export interface HttpSink extends Omit<Sink, 'open'> {
  open(params: Params, connection: ResolvedConnection): HttpExchange & SinkWire;
}
